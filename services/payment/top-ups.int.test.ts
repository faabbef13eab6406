import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CollectPaymentRequest } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { CreditAccountRequest } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { TopUpCompletedSchema, TopUpFailedSchema, TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { newTraceparent } from "@ferry/platform/telemetry";
import { as, asOperator } from "../../test/support/credentials.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { type Part, paymentTemplate, type Script, startPayments } from "./payment.fixture.ts";

let testDatabase: TestDatabase;
let payments: Awaited<ReturnType<typeof startPayments>>;
const memberId = newUuid();
let accountId: string;

before(async () => {
  testDatabase = await createTestDatabase(paymentTemplate);
  payments = await startPayments({ url: testDatabase.url });
  accountId = payments.directory.openAccount(memberId);
});
after(async () => {
  await payments.stop();
  await testDatabase.drop();
});

const { COMPLETED, FAILED, PARKED } = TopUpState;
const because = (reason: string) => (error: FerryError) => error.reason === reason;
const traceIdOf = (traceparent: string | undefined) => traceparent?.slice(3, 35);

test("money comes in: collected at the bank, booked to the account, told by an event", async () => {
  payments.others.play({});
  const traceparent = newTraceparent();
  const { topUp, replayed } = await payments.create(memberId, { accountId }, { traceparent });
  assert.ok(topUp);
  assert.deepEqual([topUp.state, topUp.failure, replayed], [COMPLETED, undefined, false]);
  assert.deepEqual([topUp.accountId, topUp.amount?.minorUnits], [accountId, 1_250n]);
  assert.deepEqual(payments.others.commandsFor(topUp.id), ["collect", "credit"]);
  const [collect, credit] = payments.others.envelopesFor(topUp.id);
  const asked = collect!.message as CollectPaymentRequest;
  assert.deepEqual([asked.reference, asked.memberId, asked.amount?.minorUnits], [topUp.id, memberId, 1_250n]);
  const booked = credit!.message as CreditAccountRequest;
  assert.deepEqual(
    [booked.reference, booked.accountId, booked.source?.accountNumber],
    [topUp.id, accountId, "1100000001"],
  );
  for (const { expiresAt, traceparent: carried, replyTo } of [collect!, credit!]) {
    assert.deepEqual([expiresAt, replyTo], [undefined, "ferry.payment.replies.v1"], "neither may expire");
    assert.equal(traceIdOf(carried), traceIdOf(traceparent));
  }
  const { event, headers } = await payments.eventOf(topUp.id, TopUpCompletedSchema);
  assert.deepEqual([event.topUpId, event.memberId, event.version], [topUp.id, memberId, 3n]);
  assert.deepEqual([headers.ce_id, event.topUp?.state], [`${topUp.id}:3`, COMPLETED]);
  assert.equal(traceIdOf(headers.traceparent), traceIdOf(traceparent));
});

const cases: [what: string, script: Script, commands: Part[], failure?: string][] = [
  ["there is no mandate", { collect: ["MANDATE_MISSING"] }, ["collect"], "MANDATE_MISSING"],
  [
    "the end at the bank is unknown, and it is done",
    { collect: ["unknown"], inquire: ["unknown", "done"] },
    ["collect", "inquire", "inquire", "credit"],
  ],
  [
    "the end at the bank is unknown, and it is not there: it is collected again",
    { collect: ["unknown", "done"], inquire: ["not-found"] },
    ["collect", "inquire", "collect", "credit"],
  ],
  [
    "the end at the bank is unknown, and it was refused",
    { collect: ["unknown"], inquire: ["BANK_REFUSED"] },
    ["collect", "inquire"],
    "BANK_REFUSED",
  ],
  ["the books cannot be written at first", { credit: ["UNAVAILABLE", "done"] }, ["collect", "credit", "credit"]],
];

for (const [what, script, commands, failure] of cases)
  test(`${what}: ${failure === undefined ? "COMPLETED" : "FAILED"}`, async () => {
    payments.others.play(script);
    const { topUp } = await payments.create(memberId, { accountId });
    assert.deepEqual([topUp?.state, topUp?.failure?.code], [failure === undefined ? COMPLETED : FAILED, failure]);
    assert.deepEqual(payments.others.commandsFor(topUp!.id), commands);
    if (failure === undefined) return;
    const { event } = await payments.eventOf(topUp!.id, TopUpFailedSchema);
    assert.deepEqual([event.topUp?.state, event.topUp?.failure?.code, event.version], [FAILED, failure, 2n]);
  });

test("a credit that is refused waits for an operator; resumed, it ends well and its failure is gone", async () => {
  payments.others.play({ credit: ["CURRENCY_MISMATCH", "done"] });
  const { topUp } = await payments.create(memberId, { accountId });
  assert.deepEqual([topUp?.state, topUp?.failure?.code], [PARKED, "CURRENCY_MISMATCH"]);
  await payments.operators.resumeSaga({ sagaId: topUp!.id, reason: "mended" }, asOperator);
  const completed = await payments.reached(memberId, topUp!.id, COMPLETED);
  assert.equal(completed.failure, undefined);
  await payments.eventOf(topUp!.id, TopUpCompletedSchema);
});

test("the same key and body gets the same top-up, whatever the spelling and the member's state; another body is refused", async () => {
  payments.others.play({});
  const member = newUuid();
  const account = payments.directory.openAccount(member);
  const key = newUuid();
  const all = await Promise.all(
    Array.from({ length: 20 }, () => payments.create(member, { accountId: account }, { key })),
  );
  const { id } = all[0]!.topUp!;
  assert.ok(all.every(({ topUp }) => topUp?.id === id && topUp.state === COMPLETED));
  assert.equal(all.filter(({ replayed }) => !replayed).length, 1);
  assert.deepEqual(payments.others.commandsFor(id), ["collect", "credit"]);

  payments.directory.suspended.add(member);
  const replay = await payments.create(member, { accountId: account.toUpperCase() }, { key });
  assert.deepEqual([replay.topUp?.id, replay.topUp?.state, replay.replayed], [id, COMPLETED, true]);
  const amount = { currency: "EUR", minorUnits: 1n };
  await assert.rejects(
    payments.create(member, { accountId: account, amount }, { key }),
    because("IDEMPOTENCY_KEY_REUSED"),
  );
  await assert.rejects(payments.create(member, { accountId: account }), because("MEMBER_SUSPENDED"));
});

test("a request that must not be recorded is refused with its reason, and nothing is recorded", async () => {
  const { directory } = payments;
  const member = newUuid();
  const refusals: [request: Parameters<typeof payments.create>[1], reason: string][] = [
    [{ accountId: newUuid() }, "NOT_FOUND"],
    [{ accountId }, "NOT_FOUND"],
    [{ accountId: directory.openAccount(member, { closed: true }) }, "ACCOUNT_CLOSED"],
    [{ accountId: directory.openAccount(member, { currency: "USD" }) }, "CURRENCY_MISMATCH"],
    [{ accountId, amount: { currency: "EUR", minorUnits: 0n } }, "INVALID_REQUEST"],
  ];
  for (const [request, reason] of refusals)
    await assert.rejects(payments.create(member, request), because(reason), reason);
  assert.deepEqual(await payments.database.query("SELECT 1 FROM top_up WHERE member_id = $1", [member]), []);
});

test("another's top-up is not there", async () => {
  payments.others.play({});
  const { topUp } = await payments.create(memberId, { accountId });
  const topUpId = topUp!.id.toUpperCase();
  assert.deepEqual((await payments.client.getTopUp({ topUpId }, as(memberId))).topUp, topUp);
  await assert.rejects(payments.client.getTopUp({ topUpId }, as(newUuid())), because("NOT_FOUND"));
  await assert.rejects(payments.client.getTopUp({ topUpId: newUuid() }, as(memberId)), because("NOT_FOUND"));
});
