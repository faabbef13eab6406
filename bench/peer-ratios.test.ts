import assert from "node:assert/strict";
import { test } from "node:test";
import { compareWithPeers } from "./peer-ratios.ts";

test("ours over theirs; one that could not be had stays as it is", () => {
  const figures = { p50Ms: 1, p99Ms: 2, cpuMsPerTransfer: 3, booksOk: true };
  const [first, second] = compareWithPeers(
    [
      { peer: "a", note: "", transfersPerSecond: 250, ...figures },
      { peer: "b", note: "", unavailable: "no network" },
    ],
    1_000,
  );
  assert.equal(first?.timesOurs, 4);
  assert.deepEqual(second, { peer: "b", note: "", unavailable: "no network" });
});

test("without transfers of ours there are no ratios", () => {
  const [only] = compareWithPeers(
    [{ peer: "a", note: "", transfersPerSecond: 250, p50Ms: 1, p99Ms: 2, cpuMsPerTransfer: 3, booksOk: true }],
    undefined,
  );
  assert.ok(only !== undefined && !("timesOurs" in only));
});
