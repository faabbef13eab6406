// 64 callers at once, 2,000 transfers: all end, none fails without a reason, the books hold, and
// what a transfer costs is printed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { calibrate, calibrationOf } from "../../bench/measure/calibration.ts";
import { booksOf } from "../support/books.ts";
import { EdgeCaller } from "../support/client.ts";
import { makeParties, type Party, sendLoad, waitForEnds } from "../support/load.ts";
import { Platform } from "../support/platform.ts";
import { cpuMsOf, hasProc } from "../support/processes.ts";

const TRANSFERS = 2_000;
const CALLERS = 64;
const WARM_UP = 2_000; // What is counted is the steady state, not the compilers of nine young processes.
/** Twice the aim of 6 ms, which is printed, on a machine as fast as the reference; on a slower one as much more. */
const MAX_CPU_MS = 12;

let platform: Platform;
let edge: EdgeCaller;
let parties: Party[];

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
  parties = await makeParties(edge, 16);
});
after(() => platform.stop());

test("2,000 transfers from 64 callers all complete, and the books hold", async (t) => {
  const warmUp = await sendLoad({ edge, parties, transfers: WARM_UP, callers: CALLERS, waitSeconds: 20 });
  await waitForEnds(edge, warmUp); // The books are checked for all, at rest.
  const { pid } = platform.readUpFile();
  const before = await calibrate();
  const cpuBefore = hasProc ? cpuMsOf(pid) : 0;
  const startedAt = Date.now();
  const promised = await sendLoad({ edge, parties, transfers: TRANSFERS, callers: CALLERS, waitSeconds: 20 });
  const seconds = (Date.now() - startedAt) / 1_000;
  const cpuMs = hasProc ? (cpuMsOf(pid) - cpuBefore) / TRANSFERS : 0; // Each was waited for; looking at them again is not theirs.
  const states = await waitForEnds(edge, promised);
  assert.deepEqual([...states], [["TRANSFER_STATE_COMPLETED", TRANSFERS]]);
  assert.equal(new Set(promised.map(({ id }) => id)).size, TRANSFERS);
  if (hasProc) {
    const { factor } = calibrationOf(before, await calibrate());
    t.diagnostic(
      `${cpuMs.toFixed(2)} ms of CPU for one transfer, all processes together; ${Math.round(TRANSFERS / seconds)} transfers/s; ${factor.toFixed(2)} of the reference's time for the same work`,
    );
    assert.ok(cpuMs < MAX_CPU_MS * Math.max(1, factor), `${cpuMs} ms`);
  }
  const { findings, figures } = await booksOf(platform);
  assert.deepEqual(findings, []);
  assert.equal(figures.completed, TRANSFERS + WARM_UP);
});
