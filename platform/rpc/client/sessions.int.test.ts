import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import type { CallSignal } from "./call-signal.ts";
import { Sessions } from "./sessions.ts";

const CALLS = 200;

test("calls whose time for a connection is over do not wake each other", async (context) => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  const sessions = new Sessions({
    ...{ url: new URL(`http://127.0.0.1:${port}`), audience: "silent", tls: undefined, logger },
    ...{ connectTimeoutMs: 100, renewAfterMs: 60_000 },
  });
  context.after(() => {
    sessions.close();
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  let turns = 0;
  // A call that waits looks at its signal in each of its turns.
  const signal: CallSignal = {
    get aborted() {
      turns++;
      return false;
    },
    reason: undefined,
    addEventListener() {},
    removeEventListener() {},
  };
  const calls = Array.from({ length: CALLS }, async () => sessions.take(Number.POSITIVE_INFINITY, signal));
  const ends = await Promise.allSettled(calls);
  assert.ok(ends.every(({ status }) => status === "rejected"));
  assert.ok(turns <= CALLS * 5, `${turns} turns of ${CALLS} calls`);
});
