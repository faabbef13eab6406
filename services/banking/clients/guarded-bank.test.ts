import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import type { BankResponse } from "../domain/call.ts";
import { guardBank } from "./guarded-bank.ts";

const inquiry = { kind: "inquire" } as const;
const LONGEST_PAUSE_MS = 20;
const OPEN = { kind: "unreachable", detail: "the breaker is open" };

/** A bank that answers what it is told to, and counts. */
function scripted(connections = 10) {
  const script = { next: { kind: "answered", status: 200, body: {} } as BankResponse, calls: 0, closed: false };
  const bank = guardBank({
    bank: {
      async call() {
        script.calls++;
        return script.next;
      },
      async close() {
        script.closed = true;
      },
    },
    bankCode: "081",
    connections,
    breaker: { minCalls: 5, firstPauseMs: 10, longestPauseMs: LONGEST_PAUSE_MS },
    logger,
  });
  return { script, ask: () => bank.call("reference", inquiry), close: () => bank.close() };
}

const ILL: BankResponse[] = [
  { kind: "lost", detail: "no answer within 2000 ms" },
  { kind: "unreachable", detail: "ECONNREFUSED" },
  { kind: "answered", status: 503, body: undefined },
];

for (const response of ILL)
  test(`a bank that only ever gives ${JSON.stringify(response)} is left alone, and asked again by itself`, async (t) => {
    // A pause may come out at next to nothing: by this clock it is over when the test says so.
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { script, ask, close } = scripted();
    script.next = response;
    for (let call = 0; call < 5; call++) assert.deepEqual(await ask(), response);
    assert.deepEqual(await ask(), OPEN);
    assert.equal(script.calls, 5, "nothing was sent");
    script.next = { kind: "answered", status: 200, body: { status: "done" } };
    t.mock.timers.tick(LONGEST_PAUSE_MS);
    assert.deepEqual(await ask(), script.next);
    assert.deepEqual(await ask(), script.next, "it stays closed");
    await close();
  });

test("a bank that refuses, or does not know a reference, is well", async () => {
  const { script, ask, close } = scripted();
  for (const status of [200, 404, 409, 422]) {
    script.next = { kind: "answered", status, body: { status: "refused" } };
    for (let call = 0; call < 10; call++) assert.deepEqual(await ask(), script.next);
  }
  await close();
  assert.ok(script.closed);
});

test("while the auditor asks there is room for all calls of the queue still", async () => {
  const { promise, resolve } = Promise.withResolvers<BankResponse>();
  const answer: BankResponse = { kind: "answered", status: 200, body: {} };
  const bank = guardBank({
    ...{ bankCode: "081", connections: 2, logger },
    bank: { call: () => promise, close: async () => {} },
  });
  const all = [1, 2, 3].map(() => bank.call("reference", inquiry));
  resolve(answer);
  assert.deepEqual(await Promise.all(all), [answer, answer, answer]);
  await bank.close();
});
