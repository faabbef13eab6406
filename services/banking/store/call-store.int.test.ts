import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, newUuid, openDatabase, type Transaction } from "@ferry/platform/db";
import { PATIENT } from "../../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import type { BankCall, FinishedCall, PendingCall } from "../app/bank-call.ts";
import { bankingTemplate } from "../banking.fixture.ts";
import type { Operation } from "../domain/call.ts";
import * as store from "./call-store.ts";

let testDatabase: TestDatabase;
let database: Database;

before(async () => {
  testDatabase = await createTestDatabase(bankingTemplate);
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  await database.query(`INSERT INTO bank_call (id, reference, bank_code, operation, outcome, duration_ms, lease_until)
    SELECT gen_random_uuid(), gen_random_uuid(), '081', 'verify', 'done', 1, now() FROM generate_series(1, 20000)`);
  await database.query("ANALYZE bank_call");
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

const LEASE_MS = 60_000;
const send: Operation = { kind: "send", accountNumber: "1", currency: "EUR", amountMinor: 2n ** 62n, memo: 'é\n"🦊"' };

function callOf(operation: Operation = send, changes: Partial<BankCall> = {}): BankCall {
  const route = { replyTo: "ferry.transfer.replies.v1", sagaId: newUuid(), sagaStep: "send" };
  return { id: newUuid(), reference: newUuid(), bankCode: "081", operation, route, traceparent: undefined, ...changes };
}

const insert = (calls: readonly BankCall[], leaseMs: number) => store.insertCalls(database, calls, leaseMs);
const withoutSeq = ({ seq: _seq, takenOver: _takenOver, ...call }: PendingCall): BankCall => call;
const takeOver = (limit = 100) => database.transaction((tx) => store.takeOverdueCalls(tx, limit, LEASE_MS));
const finish = (call: PendingCall, detail = "") =>
  database.transaction((tx) => store.finishCalls(tx, [{ call, outcome: { kind: "done", detail }, durationMs: 12 }]));

test("a call is recorded once, also within one set, and comes back whole", async () => {
  const operations: Operation[] = [
    send,
    { kind: "verify", accountNumber: "1" },
    { kind: "collect", accountNumber: "1", currency: "EUR", amountMinor: 1n, memberId: newUuid() },
    { kind: "inquire" },
    { kind: "void" },
  ];
  const reference = newUuid();
  const calls = [
    ...operations.map((operation) => callOf(operation)),
    callOf(send, { route: undefined, traceparent: "t" }),
    callOf(send, { id: `${reference}:send:ask:1`, reference }),
    callOf(send, { id: `${reference}:send:ask:1` }), // The same name in another's reference is another call.
  ];
  const fresh = await insert([...calls, calls[0]!], 0);
  assert.deepEqual(fresh.map(withoutSeq), calls);
  assert.deepEqual(await insert(calls, 0), []);
  const another = callOf();
  assert.deepEqual((await insert([calls[1]!, another], 0)).map(withoutSeq), [another]);
  const bySeq = (one: PendingCall, other: PendingCall) => Number(one.seq - other.seq);
  const pending = [...(await takeOver())].sort(bySeq);
  assert.deepEqual(pending.map(withoutSeq), [...calls, another]);
  assert.deepEqual(await takeOver(), [], "they belong to the one that took them");
  for (const call of pending) await finish(call);
  assert.equal((await store.listCalls(database, reference, 10))[0]?.id, `${reference}:send:ask:1`);
});

test("what is voided, and what is recorded of payments beside a call", async () => {
  const none = { done: false, refusal: undefined, underWay: false, asked: false, quiet: true };
  const reference = newUuid();
  const [voided, ...others] = await insert(
    [callOf({ kind: "void" }, { reference }), callOf(send, { reference }), callOf(send, { reference })],
    LEASE_MS,
  );
  const [first, second] = others;
  assert.ok(voided && first && second);
  const facts = (call: PendingCall) => store.findPaymentFacts(database, call);
  const end = (call: PendingCall, outcome: FinishedCall["outcome"]) =>
    database.transaction((tx) => store.finishCalls(tx, [{ call, outcome, durationMs: 1 }]));
  assert.deepEqual(await store.findVoidedReferences(database, [reference, newUuid()]), new Set([reference]));
  assert.deepEqual(await facts({ ...voided, reference: newUuid() }), none);
  const underWay = { ...none, underWay: true, asked: true, quiet: false };
  assert.deepEqual(await facts(voided), underWay);
  const stopped = { code: "PAYMENT_VOIDED", message: "voided" } as const;
  await end(second, { kind: "unknown", failure: stopped, detail: "" });
  assert.deepEqual(await facts(first), none, "that one never reached the bank");
  assert.deepEqual(await facts(voided), underWay);
  await database.transaction((tx) => store.renewLeases(tx, [first.seq], 0));
  const [taken] = await takeOver();
  assert.deepEqual([taken?.seq, taken?.voided, taken?.takenOver], [first.seq, true, true]);
  const refusal = { code: "BANK_REFUSED", message: "no" } as const;
  await end(first, { kind: "refused", failure: refusal, detail: "" });
  assert.deepEqual(await facts(voided), { ...none, refusal, asked: true, quiet: false });
  await finish(voided);
});

test("instances that record the same at once: each call is recorded by one of them", async () => {
  const calls = Array.from({ length: 50 }, () => callOf());
  const sets = await Promise.all([calls, calls.toReversed(), calls].map((set) => insert(set, LEASE_MS)));
  const seqs = sets.flat().map(({ id }) => id);
  assert.deepEqual(seqs.sort(), calls.map(({ id }) => id).sort());
  for (const call of sets.flat()) await finish(call);
});

test("leases: kept, they are not taken over; given up, they are; so many at once as asked for", async () => {
  const calls = await insert([callOf(), callOf(), callOf()], 0);
  const seqs = calls.map(({ seq }) => seq);
  await database.transaction((tx) => store.renewLeases(tx, seqs, LEASE_MS));
  assert.deepEqual(await takeOver(), []);
  await database.transaction((tx) => store.renewLeases(tx, seqs, 0));
  const taken = await Promise.all([takeOver(2), takeOver(2)]);
  assert.ok(taken.every(({ length }) => length <= 2));
  assert.deepEqual([...taken.flat(), ...(await takeOver())].map(({ seq }) => seq).sort(), seqs.sort(), "each by one");
  for (const call of calls) await finish(call);
});

test("a call has one outcome; what is recorded cannot be taken over", async () => {
  const [call = assert.fail("it is recorded")] = await insert([callOf()], 0);
  assert.deepEqual(await finish(call, `a\0b${"x".repeat(600)}`), new Set([call.seq]));
  assert.deepEqual(await finish(call, "second"), new Set());
  await database.transaction((tx) => store.renewLeases(tx, [call.seq], 0));
  assert.deepEqual(await takeOver(), []);
  const [recorded] = await store.listCalls(database, call.reference, 10);
  assert.deepEqual([recorded?.outcome, recorded?.durationMs, recorded?.detail.slice(0, 3)], ["done", 12, "abx"]);
});

/** Moves the mark. @returns where it is. */
async function markNow(prepare = async (_: Transaction) => {}): Promise<bigint | undefined> {
  await database.transaction(async (tx) => {
    await prepare(tx);
    await store.moveMark(tx);
  });
  const [row] = await database.query<{ seq: bigint }>("SELECT seq FROM bank_call_mark");
  return row?.seq;
}

test("the mark passes what is old and at its end, and neither a pending call nor a young one", async () => {
  /** In the transaction that moves the mark: for both of them it is the same moment. */
  const aged = (calls: readonly PendingCall[], seconds: number) => async (tx: Transaction) => {
    const values = [calls.at(-1)?.seq, seconds];
    await tx.query("UPDATE bank_call SET started_at = now() - make_interval(secs => $2) WHERE seq <= $1", values);
  };
  const calls = await insert([callOf(), callOf(), callOf()], 0);
  const [first, second, third] = calls;
  assert.ok(first && second && third);
  await finish(first);
  await finish(third);
  assert.ok((await markNow(aged(calls, 14)))! <= first.seq, "they are young");
  assert.equal(await markNow(aged(calls, 16)), second.seq);
  assert.deepEqual(
    (await takeOver()).map(({ seq }) => seq),
    [second.seq],
    "however old it is, it is found",
  );
  await finish(second);
  assert.equal(await markNow(), third.seq + 1n);
  await database.query("UPDATE bank_call_mark SET seq = $1", [third.seq + 2n]);
  assert.equal(await markNow(), third.seq + 2n, "it never goes back");
  await database.query("UPDATE bank_call_mark SET seq = 0");
});

test("the mark does not pass a call that has its number, and that nobody can see yet", async () => {
  await database.query("UPDATE bank_call SET started_at = now() - interval '1 minute'");
  const inserting = await database.session();
  await inserting.query("BEGIN");
  const [unseen] = await inserting.query<{ seq: bigint }>(
    `INSERT INTO bank_call (id, reference, bank_code, operation, lease_until)
     VALUES ('unseen', gen_random_uuid(), '081', 'send', now()) RETURNING seq`,
  );
  const [young] = await insert([callOf()], LEASE_MS);
  assert.ok(unseen && young && unseen.seq < young.seq);
  assert.ok((await markNow())! <= unseen.seq);
  await inserting.query("COMMIT");
  await inserting.release();
  const [taken = assert.fail("it is found once it can be seen")] = await takeOver();
  assert.equal(taken.seq, unseen.seq);
  for (const call of [taken, young]) await finish(call);
});

test("an outcome touches no index", async () => {
  const calls = await insert(
    Array.from({ length: 20 }, () => callOf()),
    LEASE_MS,
  );
  // Counted in the transaction itself: what other connections have done is told by the server when it likes.
  const counted = await database.transaction(async (tx) => {
    const finished = calls.map((call) => ({ call, outcome: { kind: "done", detail: "done" } as const, durationMs: 1 }));
    const updates = async () => {
      const [row] = await tx.query<{ all: bigint; hot: bigint }>(
        "SELECT n_tup_upd AS all, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables WHERE relname = 'bank_call'",
      );
      return row!;
    };
    const before = await updates();
    await store.finishCalls(tx, finished);
    const after = await updates();
    return [after.all - before.all, after.hot - before.hot];
  });
  assert.deepEqual(counted, [20n, 20n]);
});

test("which references a payment was recorded under", async () => {
  const verified = callOf({ kind: "verify", accountNumber: "1" });
  const sent = callOf();
  const collected = callOf({
    kind: "collect",
    accountNumber: "1",
    currency: "EUR",
    amountMinor: 1n,
    memberId: newUuid(),
  });
  await insert([verified, sent, collected], LEASE_MS);
  const references = [verified.reference, sent.reference, collected.reference, newUuid()];
  assert.deepEqual(await store.findPaidReferences(database, references), new Set(references.slice(1, 3)));
});

test("whether a bank may have heard of a payment before a call: not of what was refused for want of a connection", async () => {
  const reference = newUuid();
  const before = async (call: PendingCall) => store.wasPaidBefore(database, call);
  const [verified, refused] = await insert(
    [callOf({ kind: "verify", accountNumber: "1" }, { reference }), callOf(send, { reference })],
    LEASE_MS,
  );
  assert.ok(verified && refused);
  const failure = { code: "BANK_UNKNOWN", message: "no connection" } as const;
  const outcome = { kind: "refused", failure, detail: "" } as const;
  await database.transaction((tx) => store.finishCalls(tx, [{ call: refused, outcome, durationMs: 1 }]));
  const [sent, inquiry] = await insert(
    [callOf(send, { reference }), callOf({ kind: "inquire" }, { reference })],
    LEASE_MS,
  );
  assert.ok(sent && inquiry);
  assert.deepEqual([await before(refused), await before(sent)], [false, false]);
  assert.equal(await before(inquiry), true, "its end is not known");
  for (const call of [verified, sent, inquiry]) await finish(call);
});
