import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, newUuid, openDatabase } from "@ferry/platform/db";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import type { BankCall } from "../app/bank-call.ts";
import { bankingTemplate } from "../banking.fixture.ts";
import type { Operation } from "../domain/call.ts";
import * as store from "./call-store.ts";

let testDatabase: TestDatabase;
let database: Database;

before(async () => {
  testDatabase = await createTestDatabase(bankingTemplate);
  database = openDatabase({ url: testDatabase.url });
  await database.query(`INSERT INTO bank_call (id, reference, bank_code, operation, outcome, lease_until)
    SELECT gen_random_uuid(), gen_random_uuid(), '081', '{"kind":"verify"}', 'done', now() FROM generate_series(1, 20000)`);
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

const insert = (calls: readonly BankCall[], leaseMs: number) =>
  database.transaction((tx) => store.insertCalls(tx, calls, leaseMs));
const takeOver = (limit = 100) => database.transaction((tx) => store.takeOverdueCalls(tx, limit, LEASE_MS));
const finish = (call: BankCall, detail = "") =>
  database.transaction((tx) => store.finishCalls(tx, [{ call, outcome: { kind: "done", detail }, durationMs: 12 }]));

test("a call is recorded once, also within one set, and comes back whole", async () => {
  const operations: Operation[] = [
    send,
    { kind: "verify", accountNumber: "1" },
    { kind: "collect", accountNumber: "1", currency: "EUR", amountMinor: 1n, memberId: newUuid() },
    { kind: "inquire" },
  ];
  const calls = [
    ...operations.map((operation) => callOf(operation)),
    callOf(send, { route: undefined, traceparent: "t" }),
  ];
  assert.deepEqual(await insert([...calls, calls[0]!], 0), new Set(calls.map(({ id }) => id)));
  assert.deepEqual(await insert(calls, 0), new Set());
  const byId = (a: BankCall, b: BankCall) => (a.id < b.id ? -1 : 1);
  assert.deepEqual((await takeOver()).sort(byId), calls.sort(byId));
  assert.deepEqual(await takeOver(), [], "they belong to the one that took them");
  for (const call of calls) await finish(call);
});

test("leases: kept, they are not taken over; given up, they are; so many at once as asked for", async () => {
  const calls = [callOf(), callOf(), callOf()];
  const ids = calls.map(({ id }) => id);
  await insert(calls, 0);
  await database.transaction((tx) => store.renewLeases(tx, ids, LEASE_MS));
  assert.deepEqual(await takeOver(), []);
  await database.transaction((tx) => store.renewLeases(tx, ids, 0));
  const taken = await Promise.all([takeOver(2), takeOver(2)]);
  assert.ok(taken.every(({ length }) => length <= 2));
  assert.deepEqual([...taken.flat(), ...(await takeOver())].map(({ id }) => id).sort(), ids.sort(), "each by one");
  for (const call of calls) await finish(call);
});

test("a call has one outcome; what is recorded cannot be taken over", async () => {
  const call = callOf();
  await insert([call], 0);
  assert.deepEqual(await finish(call, `a\0b${"x".repeat(600)}`), new Set([call.id]));
  assert.deepEqual(await finish(call, "second"), new Set());
  await database.transaction((tx) => store.renewLeases(tx, [call.id], 0));
  assert.deepEqual(await takeOver(), []);
  const [recorded] = await store.listCalls(database, call.reference, 10);
  assert.deepEqual([recorded?.outcome, recorded?.durationMs, recorded?.detail.slice(0, 3)], ["done", 12, "abx"]);
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

const queries: [name: string, sql: string, values: string[], index: string][] = [
  ["LIST_CALLS", store.LIST_CALLS, [`'${newUuid()}'`, "1000"], "bank_call_by_reference"],
  ["FIND_PAID_REFERENCES", store.FIND_PAID_REFERENCES, [`'{${newUuid()}}'`], "bank_call_by_reference"],
  ["TAKE_OVERDUE_CALLS", store.TAKE_OVERDUE_CALLS, ["200", "5"], "bank_call_pending"],
  ["FINISH_CALLS", store.FINISH_CALLS, ["'{a}'", "'{done}'", "'{x}'", "'{x}'", "'{x}'", "'{1}'"], "bank_call_pkey"],
];

for (const [name, sql, values, index] of queries)
  test(`${name} goes by ${index}`, async () => {
    for (const mode of ["force_custom_plan", "force_generic_plan"])
      await database.transaction(async (tx) => {
        await tx.query(`SET LOCAL plan_cache_mode = ${mode}`);
        await tx.query(`PREPARE probe AS ${sql}`);
        const rows = await tx.query<{ "QUERY PLAN": string }>(`EXPLAIN EXECUTE probe (${values.join()})`);
        await tx.query("DEALLOCATE probe");
        const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
        assert.match(plan, new RegExp(index), `${mode}\n${plan}`);
        assert.doesNotMatch(plan, /Seq Scan on bank_call/, `${mode}\n${plan}`);
      });
  });
