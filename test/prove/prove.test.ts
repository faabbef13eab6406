import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { FAULTS } from "../faults/catalogue.ts";
import type { Proof } from "./main.ts";
import type { Entry } from "./matrix/journal.ts";
import { checkCancels } from "./matrix/verify.ts";
import { readOptions } from "./options.ts";
import { createRandom } from "./random.ts";
import { renderProof } from "./report.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");

test("options: forms, parts and seeds; what is wrong is said", () => {
  const hour = readOptions([], 7);
  assert.deepEqual([hour.form, hour.seed, hour.parts], ["hour", 7, ["simulation", "faults", "matrix"]]);
  const short = readOptions(["--short", "--only", "matrix", "--seed", "5"], 7);
  assert.deepEqual([short.form, short.seed, short.parts], ["short", 5, ["matrix"]]);
  assert.ok(short.minutes < hour.minutes);
  assert.throws(() => readOptions(["--only", "luck"], 7), /--only takes/);
  assert.throws(() => readOptions(["--short", "--full"], 7), /exclude/);
  const again = readOptions(["--again", "faults"], 7);
  assert.deepEqual([again.form, again.parts, again.again, hour.again], ["hour", ["faults"], true, false]);
  assert.throws(() => readOptions(["--again", "luck"], 7), /--again takes/);
  assert.throws(() => readOptions(["--again", "faults", "--only", "matrix"], 7), /neither --only nor --short/);
  assert.throws(() => readOptions(["--seed", "x"], 7), /whole number/);
  assert.throws(() => readOptions(["--minutes", "0"], 7), /above 0/);
});

test("what is left to chance comes again with its seed", () => {
  const draw = (seed: number) => {
    const random = createRandom(seed).fork("load");
    return [random.next(), random.below(1_000), ...random.shuffled([1, 2, 3, 4, 5])];
  };
  assert.deepEqual(draw(3), draw(3));
  assert.notDeepEqual(draw(3), draw(4));
  const many = createRandom(1);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let index = 0; index < 10_000; index++) counts[many.below(10)]!++;
  assert.ok(
    counts.every((count) => count > 850 && count < 1_150),
    counts.join(),
  );
});

test("what was taken back is taken back, and nothing else", () => {
  const operation = { kind: "transfer", key: "k", member: 0, path: "/v1/transfers", body: {}, mustFail: false };
  const of = (state: string, code: string | null, cancel?: Entry["cancel"], cancels = true) =>
    checkCancels(
      [{ operation: { ...operation, cancels }, sent: 1, id: "t1", ...(cancel === undefined ? {} : { cancel }) }],
      new Map([["t1", { id: "t1", state, code }]]),
    );
  assert.deepEqual(of("CANCELED", "CANCELED_BY_MEMBER", "taken back"), []);
  assert.deepEqual(of("COMPLETED", null, "too late"), []);
  assert.deepEqual([of("COMPLETED", null), of("CANCELED", "CANCELED_BY_MEMBER")], [[], []]); // Nobody was told anything.
  assert.match(of("COMPLETED", null, "taken back").join(), /and it is not: 1, as t1 \(transfer, COMPLETED null\)/);
  assert.match(of("CANCELED", "TRANSFER_EXPIRED", "taken back").join(), /and it is not/);
  assert.match(of("CANCELED", "CANCELED_BY_MEMBER", "too late").join(), /and it was taken back/);
  assert.match(of("CANCELED", "CANCELED_BY_MEMBER", undefined, false).join(), /nobody asked/);
});

test("every fault has tests, and each of them is there under its name", () => {
  for (const { id, what, tests } of FAULTS) {
    assert.ok(tests.length > 0, `${id} ${what}`);
    for (const { file, name } of tests) {
      const path = join(REPOSITORY, file);
      assert.ok(existsSync(path), `${id}: there is no ${file}`);
      const text = readFileSync(path, "utf8");
      const [, beginning = ""] = /^\^([\w ,-]+)/.exec(name.source) ?? [];
      if (beginning !== "")
        assert.ok(new RegExp(`["\`]${beginning}`).test(text), `${id}: no test "${beginning}…" in ${file}`);
    }
  }
  const numbers = new Set(FAULTS.map(({ id }) => id));
  for (const number of [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 23, 25, 27, 28, 30, 32, 33])
    assert.ok(numbers.has(`F${number}`), `F${number}`);
});

test("the page says how it came out, also when a part came to nothing", () => {
  const points = [
    { process: "transfer", point: "commit in a | b (before)", kills: 5, missed: 0, waitedMs: 0, atStart: false },
    { process: "ledger", point: "offsets of ledger (after)", kills: 7, missed: 1, waitedMs: 0, atStart: true },
  ];
  const window = {
    seconds: 60,
    kills: 12,
    operations: 900,
    refusals: {},
    restMs: 4_200,
    findings: [],
    figures: { transfers: 800 },
  };
  const part = { green: true, seconds: 60, tail: [], commit: "abc", startedAt: "2026-01-02T03:04:05Z" };
  const proof: Proof = {
    ...{ form: "hour", seed: 9, seconds: 3_000, machine: "2 cores" },
    parts: {
      matrix: { ...part, report: { seed: 9, points, windows: [window] } },
      faults: { ...part, green: false, report: undefined, commit: "def", startedAt: "2026-01-03T03:04:05Z" },
    },
  };
  const page = renderProof(proof);
  assert.match(page, /\*\*red\*\*/);
  assert.match(page, /2 points in 2 processes, 12 kills \(each point 5 to 7 times\) during 900 operations/);
  assert.match(page, /\| transfer \| commit in a \\\| b \(before\) \| 5 \|/);
  assert.match(page, /The run came to no report/);
  assert.match(page, /Begun 2026-01-02T03:04:05Z at commit abc\./);
  assert.match(page, /\| Commit \| abc, def \|/);
});
