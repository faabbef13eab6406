import assert from "node:assert/strict";
import { test } from "node:test";
import { type Database, LOST_RACE, sqlStateOf, type Transaction } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import type { BankResponse } from "../domain/call.ts";
import type { FinishedCall, PendingCall } from "./bank-call.ts";
import { createMakeCalls } from "./make-calls.ts";
import { toReply } from "./replies.ts";

const route = { replyTo: "ferry.transfer.replies.v1", sagaId: "s", sagaStep: "verify" };
const seqOf = (id: string) => BigInt(id.charCodeAt(0));
const callOf = (id: string): PendingCall => ({
  ...{ seq: seqOf(id), id, reference: id, bankCode: "081", route, traceparent: undefined },
  operation: { kind: "verify", accountNumber: "1" },
});

/** Calls over a record in memory that can be away, and a bank that answers when the test says so. */
function createCalls({ maxQueued = 10, concurrency = 1 } = {}) {
  const pending = new Map<string, PendingCall>();
  const finished: FinishedCall[] = [];
  const replies: OutgoingMessage[] = [];
  const failures: unknown[] = [];
  const renewed: [seqs: readonly bigint[], leaseMs: number][] = [];
  const answers: ((response: BankResponse) => void)[] = [];
  const state = {
    ...{ away: false, overdue: [] as PendingCall[], paid: new Set<string>(), voided: new Set<string>() },
    /** When the statement that moves the mark ends. */
    marked: Promise.resolve(),
  };
  const added = new WeakMap<Transaction, OutgoingMessage[]>();
  const database = {
    async transaction<T>(run: (tx: Transaction, count: number) => Promise<T>): Promise<T> {
      for (let count = 1; ; count++) {
        const tx = { conclude() {} } as Transaction;
        try {
          const result = await run(tx, count);
          replies.push(...(added.get(tx) ?? []));
          return result;
        } catch (error) {
          if (sqlStateOf(error) !== LOST_RACE) throw error;
        }
      }
    },
  } as Database;
  const calls = createMakeCalls({
    database,
    concurrency,
    maxQueued,
    toReply,
    outbox: { add: async (tx, messages) => void added.set(tx, [...messages]), acknowledgedBelow: async () => 0n },
    store: {
      async insertCalls(_database, inserted) {
        const fresh = inserted.filter(({ id }) => !pending.has(id)).map((call) => ({ ...call, seq: seqOf(call.id) }));
        for (const call of fresh) pending.set(call.id, call);
        return fresh;
      },
      renewLeases: async (_tx, seqs, leaseMs) => void renewed.push([seqs, leaseMs]),
      moveMark: () => state.marked,
      takeOverdueCalls: async (_tx, limit) => state.overdue.splice(0, limit),
      async finishCalls(_tx, set) {
        if (state.away) throw new Error("away");
        finished.push(...set);
        return new Set(set.filter(({ call }) => pending.delete(call.id)).map(({ call }) => call.seq));
      },
      async finishPendingCalls(_tx, set) {
        if (state.away) throw new Error("away");
        if (!set.every(({ call }) => pending.has(call.id))) throw Object.assign(new Error(), { code: LOST_RACE });
        finished.push(...set);
        for (const { call } of set) pending.delete(call.id);
      },
      findVoidedReferences: async (_from, references) => new Set(references.filter((each) => state.voided.has(each))),
      findPaymentFacts: async (_from, { reference }) => ({
        ...{ done: false, refusal: undefined, underWay: false, quiet: true, asked: state.paid.has(reference) },
      }),
      wasPaidBefore: async (_from, { reference }) => state.paid.has(reference),
    },
    banks: new Map([["081", { call: () => new Promise<BankResponse>((resolve) => answers.push(resolve)) }]]),
    failed: (error) => failures.push(error),
  });
  const soon = async (holds: () => boolean) => {
    for (let round = 0; !holds(); round++) {
      assert.ok(round < 1_000, "it never came to hold");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const answer = async () => {
    await soon(() => answers.length > 0);
    answers.shift()?.({ kind: "answered", status: 200, body: { status: "ok" } });
  };
  return { calls, state, pending, finished, replies, failures, renewed, answers, answer, soon };
}

const because = (reason: string) => (error: FerryError) => error.reason === reason;

test("the consumer waits while the queue is full, and callers by rpc are refused before anything is recorded", async () => {
  const { calls, pending, answer, soon } = createCalls({ maxQueued: 1 });
  let admitted = false;
  const admitting = calls.admit([callOf("a"), callOf("b")]).then(() => {
    admitted = true;
  });
  await soon(() => pending.size === 2);
  await assert.rejects(calls.makeOne(callOf("c")), because("OVERLOADED"));
  assert.deepEqual([...pending.keys(), admitted], ["a", "b", false]);
  await answer();
  await admitting;
  const one = calls.makeOne(callOf("c"));
  await answer();
  await answer();
  assert.equal((await one).kind, "done");
});

test("an outcome that cannot be recorded is no reply; the call is made again once it is taken over", async () => {
  const { calls, state, pending, replies, failures, answer, soon } = createCalls();
  state.away = true;
  const one = calls.makeOne(callOf("a"));
  const refused = assert.rejects(one, because("UNAVAILABLE"));
  await answer();
  await refused;
  assert.deepEqual([failures.length, replies.length, [...pending.keys()]], [1, 0, ["a"]]);

  state.away = false;
  state.overdue = [callOf("a")];
  assert.equal(await calls.sweep(), 1);
  await answer();
  await soon(() => replies.length === 1);
  assert.equal(pending.size, 0);
});

test("a call has one outcome and one reply, also when two instances have made it", async () => {
  const { calls, pending, finished, replies, answer, soon } = createCalls();
  await calls.admit([callOf("a")]);
  pending.delete("a"); // The other one was quicker.
  await answer();
  await soon(() => finished.length === 1);
  await calls.whenIdle();
  assert.equal(replies.length, 0);
});

test("leases of calls that wait or are under way are kept; at the close, those not begun are given up", async () => {
  const { calls, renewed, answer } = createCalls();
  await calls.admit([callOf("a"), callOf("b"), callOf("c")]);
  await calls.sweep();
  await calls.close();
  await answer();
  await calls.whenIdle();
  await calls.sweep();
  assert.deepEqual(renewed, [
    [["a", "b", "c"].map(seqOf), 5_000],
    [["b", "c"].map(seqOf), 0],
    [[], 5_000],
  ]);
});

test("a close waits for the sweep under way, and gives up what that has kept or taken too", async () => {
  const { calls, state, renewed, answer, answers } = createCalls();
  const { promise, resolve } = Promise.withResolvers<void>();
  await calls.admit([callOf("a"), callOf("b")]);
  state.marked = promise;
  state.overdue = [callOf("d")];
  const swept = calls.sweep();
  const closed = calls.close();
  assert.deepEqual(renewed, [[["a", "b"].map(seqOf), 5_000]]);
  resolve();
  await Promise.all([swept, closed]);
  assert.deepEqual(renewed.slice(1), [[["b", "d"].map(seqOf), 0]]);
  await answer();
  await calls.whenIdle();
  assert.equal(answers.length, 0);
});

test("a close leaves leases alone that may be another's by now", async (t) => {
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  const { calls, renewed, answer } = createCalls();
  await calls.admit([callOf("a"), callOf("b")]);
  nowMs = 2_500;
  await calls.close();
  assert.deepEqual(renewed, []);
  await answer();
  await calls.whenIdle();
});

test("a full queue takes nothing over, and after the close nothing is begun", async () => {
  const { calls, state, pending, answer, answers, soon } = createCalls({ maxQueued: 1 });
  const admitting = calls.admit([callOf("a"), callOf("b")]);
  await soon(() => pending.size === 2);
  state.overdue = [callOf("d")];
  assert.equal(await calls.sweep(), 0);
  await calls.close();
  await admitting;
  await assert.rejects(calls.makeOne(callOf("e")), because("UNAVAILABLE"));
  assert.equal(await calls.sweep(), 0);
  await answer();
  await calls.whenIdle();
  assert.deepEqual([answers.length, [...pending.keys()], state.overdue.length], [0, ["b"], 1]);
});

const send = { kind: "send", accountNumber: "1", currency: "EUR", amountMinor: 1n, memo: "" } as const;

test("a payment whose reference is voided is not made, also when it is taken over; other calls are", async () => {
  const { calls, state, pending, finished, answers, answer, soon } = createCalls();
  for (const id of ["a", "b", "c"]) state.voided.add(id);
  await calls.admit([{ ...callOf("a"), operation: send }, callOf("b")]);
  await answer();
  const taken = { ...callOf("c"), operation: send, voided: true, takenOver: true };
  pending.set("c", taken);
  state.overdue = [taken];
  await calls.sweep();
  await soon(() => finished.length === 3);
  assert.deepEqual(
    finished.map(({ call, outcome }) => [call.id, outcome.kind, outcome.failure?.code]),
    [
      ["a", "refused", "PAYMENT_VOIDED"],
      ["b", "done", undefined],
      ["c", "unknown", "BANK_OUTCOME_UNKNOWN"],
    ],
  );
  assert.equal(answers.length, 0);
});

test("a payment whose lease is over before its turn is left to whoever takes it over", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  const { calls, finished, failures, answers, answer, soon } = createCalls();
  await calls.admit([callOf("a"), { ...callOf("b"), operation: send }, { ...callOf("c"), operation: send }]);
  nowMs = 4_000;
  await answer();
  await soon(() => answers.length === 1);
  t.mock.timers.setTime(1); // A clock that is set back makes no lease longer.
  nowMs = 5_000;
  await answer();
  await soon(() => failures.length === 1);
  assert.match(String(failures[0]), /lease was over/);
  assert.deepEqual([finished.map(({ call }) => call.id), answers.length], [["a", "b"], 0]);
});

test("a bank whose connection was taken away has the last word on what it was sent before", async () => {
  const { calls, state } = createCalls();
  const ask = async (id: string, operation: PendingCall["operation"]) =>
    (await calls.makeOne({ ...callOf(id), reference: "r", bankCode: "999", operation })).kind;
  assert.equal(await ask("a", send), "refused");
  state.paid.add("r");
  assert.equal(await ask("b", send), "unknown");
  assert.equal(await ask("c", { kind: "inquire" }), "unknown");
  assert.equal(await ask("d", { kind: "verify", accountNumber: "1" }), "refused");
});
