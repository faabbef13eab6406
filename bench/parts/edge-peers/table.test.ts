import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tally } from "../contest.ts";
import { factsOf, linesOf } from "./table.ts";

const tally = (name: string, cpuUs: number): Tally => ({
  ...{ name, count: 1_000, seconds: 1, perSecond: 1_000, errors: 0, example: "", p50Ms: 2, p99Ms: 9 },
  ...{ counted: ["edge"], cpuUs, cpuUsByProcess: { edge: cpuUs }, rounds: [cpuUs] },
});

const result = {
  tallies: [tally("ferry GET", 100), tally("ferry POST", 125), tally("nest GET", 400), tally("nest POST", 500)],
  machine: { idlePercent: 0, stealPercent: 0 },
  leftOut: { "grpc-gateway": "go build failed (spawn go ENOENT)" },
  pinned: true,
};

test("an edge's requests per CPU second stand beside how many times that ours are", () => {
  const facts = factsOf(result);
  assert.equal(facts["ferry GET, requests"], 10_000);
  assert.equal(facts["nest POST, requests"], 2_000);
  assert.deepEqual([facts["times nest GET"], facts["times nest POST"]], [4, 4]);
  assert.match(
    linesOf(result).find((line) => line.startsWith("nest "))!,
    /^nest +2500 +2000 +4\.00 +4\.00 +2\.0 +2\.0$/,
  );
});

test("a peer that could not be had has no figures but the reason", () => {
  const facts = factsOf(result);
  assert.equal(facts["grpc-gateway is left out"], "go build failed (spawn go ENOENT)");
  assert.equal("grpc-gateway GET, requests" in facts, false);
});
