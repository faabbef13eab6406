import assert from "node:assert/strict";
import { test } from "node:test";
import { counter, gauge, histogram, knownMetrics, readMetrics, sweep, sweepsOfProcess } from "./index.ts";

const linesOf = async (name: string) => (await readMetrics()).split("\n").filter((line) => line.startsWith(name));

test("values are read when they are asked for, and those of several sources with the same labels are added up", async () => {
  let count = 1;
  const calls = counter("ferry_test_calls_total", "Calls.", ["rpc"]);
  calls.from(() => [{ labels: { rpc: "a" }, value: count }]);
  const remove = calls.from(() => [
    { labels: { rpc: "a" }, value: 10 },
    { labels: { rpc: "b" }, value: 5 },
  ]);
  assert.deepEqual(await linesOf("ferry_test_calls_total"), [
    'ferry_test_calls_total{rpc="a"} 11',
    'ferry_test_calls_total{rpc="b"} 5',
  ]);
  count = 2;
  remove();
  assert.deepEqual(await linesOf("ferry_test_calls_total"), ['ferry_test_calls_total{rpc="a"} 2']);
});

test("a source that fails is left out, and hides nothing else", async () => {
  const age = gauge("ferry_test_age_seconds", "Age.");
  age.from(async () => {
    throw new Error("the database is away");
  });
  age.from(() => [{ value: 3 }]);
  assert.deepEqual(await linesOf("ferry_test_age_seconds"), ["ferry_test_age_seconds 3"]);
});

test("a distribution is shown as Prometheus adds it up", async () => {
  const times = histogram("ferry_test_seconds", "Times.", [0.1, 1], ["rpc"]);
  times.from(() => [{ labels: { rpc: "a" }, counts: [2, 1, 4], sum: 9.5 }]);
  assert.deepEqual(await linesOf("ferry_test_seconds"), [
    'ferry_test_seconds_bucket{rpc="a",le="0.1"} 2',
    'ferry_test_seconds_bucket{rpc="a",le="1"} 3',
    'ferry_test_seconds_bucket{rpc="a",le="+Inf"} 7',
    'ferry_test_seconds_sum{rpc="a"} 9.5',
    'ferry_test_seconds_count{rpc="a"} 7',
  ]);
  assert.match(await readMetrics(), /# TYPE ferry_test_seconds histogram/);
});

test("a name is taken once, and every metric says what it is", () => {
  gauge("ferry_test_once", "Once.");
  assert.throws(() => gauge("ferry_test_once", "Twice."), /already been registered/);
  assert.ok(knownMetrics().every(({ help, name }) => help !== "" && /^(ferry|process)_[a-z_]+$/.test(name)));
});

test("what a sweeper has moved is counted under its name", async () => {
  const moved = sweep("test-things", "Things that are left behind.");
  moved(2);
  moved(3);
  assert.equal(sweepsOfProcess().find(({ name }) => name === "test-things")?.moved, 5);
  assert.deepEqual(await linesOf('ferry_sweeps_moved_total{sweep="test-things"}'), [
    'ferry_sweeps_moved_total{sweep="test-things"} 5',
  ]);
  assert.throws(() => sweep("test-things", "Again."), /two sweepers/);
});
