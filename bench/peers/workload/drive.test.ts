import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { drive } from "./drive.ts";
import type { PeerTransfer } from "./transfer.ts";

const window = { inFlight: 8, warmUpSeconds: 0, seconds: 0.05 };

test("so many transfers are open at once, and all that were started are complete at the end", async () => {
  let [open, most, started] = [0, 0, 0];
  let readings = 0;
  const driven = await drive({
    ...window,
    peer: {
      async carryOut(transfers: readonly PeerTransfer[]) {
        started += transfers.length;
        most = Math.max(most, ++open);
        await nextTurn();
        open--;
      },
    },
    readUsage: () => ++readings,
  });
  assert.equal(most, 8);
  assert.equal(open, 0);
  assert.equal(driven.completed, started);
  assert.ok(driven.transfers > 0 && driven.transfers <= driven.completed, `${driven.transfers} of ${driven.completed}`);
  assert.ok(driven.p50Ms > 0 && driven.p50Ms <= driven.p99Ms);
  assert.deepEqual([driven.before, driven.after], [1, 2]);
  assert.equal(driven.errors, 0);
});

test("sets count for what they hold", async () => {
  const sizes = new Set<number>();
  const peer = {
    setSize: 4,
    async carryOut(transfers: readonly PeerTransfer[]) {
      sizes.add(transfers.length);
      await nextTurn();
    },
  };
  const { transfers, completed } = await drive({ ...window, peer, readUsage: () => undefined });
  assert.deepEqual([...sizes], [4]);
  assert.ok(transfers > 0);
  assert.equal(completed % 4, 0);
});

test("a peer that only fails is given up, with its first error", async () => {
  let calls = 0;
  const peer = {
    async carryOut() {
      // At once: the window's end, which a slow machine may reach first, would end the run as well.
      throw new Error("fetch failed", { cause: new Error(`refused ${++calls}`) });
    },
  };
  const driven = await drive({ ...window, peer, readUsage: () => undefined });
  assert.equal(driven.transfers, 0);
  assert.equal(driven.firstError, "refused 1");
  assert.ok(driven.errors >= 200 && driven.errors < 200 + window.inFlight, `${driven.errors}`);
});
