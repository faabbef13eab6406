import assert from "node:assert/strict";
import { test } from "node:test";
import { type CpuProfile, topSelfTimes } from "./profiles.ts";

const frame = (functionName: string, url = "") => ({ functionName, url, lineNumber: 9 });
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(idle)") },
    { id: 2, callFrame: frame("decide", "file:///somewhere/ledger/domain/decide.ts") },
    { id: 3, callFrame: frame("") },
  ],
  startTime: 1_000,
  samples: [2, 1, 2, 3, 2],
  timeDeltas: [100, 100, 100, 100, 5_000],
};

test("time is counted within the window, without idling, by function", () => {
  const { busyMs, times } = topSelfTimes(profile, { fromUs: 1_150, toUs: 2_000 });
  assert.equal(busyMs, 0.2);
  assert.deepEqual(times, [
    { where: "decide domain/decide.ts:10", share: 0.5 },
    { where: "(anonymous)", share: 0.5 },
  ]);
});
