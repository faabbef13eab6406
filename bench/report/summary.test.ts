import assert from "node:assert/strict";
import { test } from "node:test";
import { reportOf } from "./report.fixture.ts";
import { summarize, summarizePeers } from "./summary.ts";

test("a slow machine and breaches are said", () => {
  const [scenario] = reportOf(1.5, {
    booksOk: false,
    booksFindings: ["a hold is left open: 1"],
    facts: { replays: 12 },
  }).scenarios;
  const text = summarize(scenario!).join("\n");
  assert.match(text, /1,000 transfers\/s.*DO NOT HOLD/);
  assert.match(text, /\(slow\)/);
  assert.match(text, /reference machine 1\.067 ms/);
  assert.match(text, /BREACH {2}a hold is left open/);
  assert.match(text, /replays: 12/);
});

test("a scenario that counts nothing shows its facts alone", () => {
  const [scenario] = reportOf(1, { count: 0, facts: { "CPU, percent": 1.25 } }).scenarios;
  const text = summarize(scenario!).join("\n");
  assert.match(text, /CPU, percent: 1\.250/);
  assert.doesNotMatch(text, /ms for one transfer/);
});

test("a peer that could not be had is left out with its reason", () => {
  const text = summarizePeers([{ peer: "Temporal", note: "", unavailable: "no download" }]).join("\n");
  assert.match(text, /Temporal is left out: no download/);
});
