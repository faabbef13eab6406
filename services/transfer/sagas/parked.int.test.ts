import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { StepState, TransferCompletedSchema, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { as, asOperator, startTransfers, transferTemplate, until } from "../transfer.fixture.ts";

let testDatabase: TestDatabase;
let transfers: Awaited<ReturnType<typeof startTransfers>>;
const memberId = newUuid();
let sourceAccountId: string;

before(async () => {
  testDatabase = await createTestDatabase(transferTemplate);
  transfers = await startTransfers({ url: testDatabase.url, parkAfterMs: 300 });
  sourceAccountId = transfers.directory.openAccount(memberId);
});
after(async () => {
  await transfers.stop();
  await testDatabase.drop();
});

const { COMPLETED, FAILED, PARKED } = TransferState;
const reason = "seen in the books";

test("a bank that never tells: PARKED with the hold kept; resumed, it ends well and its failure is gone", async () => {
  transfers.others.play({ send: ["unknown"], inquire: ["unknown"] });
  const key = newUuid();
  const { transfer } = await transfers.create(memberId, { sourceAccountId }, { key });
  assert.deepEqual([transfer?.state, transfer?.failure?.code], [PARKED, "BANK_OUTCOME_UNKNOWN"]);
  const { id } = transfer!;
  assert.ok(!transfers.others.commandsFor(id).includes("release"));
  assert.equal(transfer?.steps.find(({ name }) => name === "send")?.state, StepState.UNKNOWN);

  const again = await transfers.create(memberId, { sourceAccountId }, { key });
  assert.deepEqual([again.replayed, again.transfer?.state], [true, PARKED], "nobody waits for an operator");
  const { sagas } = await transfers.operators.listParkedSagas({}, asOperator);
  const parked = sagas.find((saga) => saga.id === id);
  assert.deepEqual(
    [parked?.definition, parked?.step, parked?.reason?.code],
    ["send-money", "send", "BANK_OUTCOME_UNKNOWN"],
  );
  assert.deepEqual(Object.keys(JSON.parse(parked!.data)).sort(), [
    ...["amountMinor", "currency", "destination", "memberId", "memo", "sourceAccountId"],
  ]);

  transfers.others.play({ inquire: ["done"] });
  await transfers.operators.resumeSaga({ sagaId: id, reason }, asOperator);
  const completed = await transfers.reached(memberId, id, COMPLETED);
  assert.equal(completed.failure, undefined);
  const [{ event } = assert.fail("no event")] = await until("the event", () => {
    const found = transfers.eventsOf(id, TransferCompletedSchema);
    return found.length > 0 ? found : undefined;
  });
  assert.equal(event.transfer?.failure, undefined);
});

test("a settle that is refused waits for an operator, who may go on without it", async () => {
  transfers.others.play({ settle: ["HOLD_UNKNOWN"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  assert.deepEqual([transfer?.state, transfer?.failure?.code], [PARKED, "HOLD_UNKNOWN"]);
  const sagaId = transfer!.id;
  await assert.rejects(transfers.operators.undoSaga({ sagaId, reason }, asOperator), /past its pivot/);
  await transfers.operators.skipSagaStep({ sagaId, reason }, asOperator);
  const completed = await transfers.reached(memberId, sagaId, COMPLETED);
  assert.deepEqual([completed.failure, completed.steps.at(-1)?.state], [undefined, StepState.SKIPPED]);
});

test("an undo that is refused is parked with why; the end keeps the first cause", async () => {
  transfers.others.play({ send: ["BANK_REFUSED"], release: ["HOLD_RELEASED"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  assert.deepEqual([transfer?.state, transfer?.failure?.code], [PARKED, "HOLD_RELEASED"]);
  transfers.others.play({});
  await transfers.operators.resumeSaga({ sagaId: transfer!.id, reason }, asOperator);
  const failed = await transfers.reached(memberId, transfer!.id, FAILED);
  assert.equal(failed.failure?.code, "BANK_REFUSED");
});

test("an operator undoes a parked payment: it is voided at banking first, and only then its hold is released", async () => {
  transfers.others.play({ send: ["unknown"], inquire: ["unknown"], void: ["PAYMENT_VOIDED"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  assert.equal(transfer?.state, PARKED);
  await transfers.operators.undoSaga({ sagaId: transfer!.id, reason }, asOperator);
  const failed = await transfers.reached(memberId, transfer!.id, FAILED);
  assert.equal(failed.failure?.code, "PAYMENT_VOIDED");
  assert.deepEqual(transfers.others.commandsFor(failed.id).slice(-2), ["void", "release"]);
});

test("an operator undoes what the bank has paid after all: the payment completes, and nothing is released", async () => {
  transfers.others.play({ send: ["unknown"], inquire: ["unknown"], void: ["unknown", "done"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  assert.equal(transfer?.state, PARKED);
  await transfers.operators.undoSaga({ sagaId: transfer!.id, reason }, asOperator);
  await until("its end", async () => {
    const { transfer: found } = await transfers.client.getTransfer({ transferId: transfer!.id }, as(memberId));
    // Where the machine pauses, its time for trying is over with the first answer.
    if (found?.state === PARKED) await transfers.operators.resumeSaga({ sagaId: found.id, reason }, asOperator);
    return found?.state === COMPLETED || undefined;
  });
  const commands = transfers.others.commandsFor(transfer!.id);
  assert.deepEqual(commands.slice(-3), ["void", "void", "settle"]);
  assert.ok(!commands.includes("release"));
});

test("while nobody knows, an undo changes nothing: it parks again with why, and a later one goes on from there", async () => {
  transfers.others.play({ send: ["unknown"], inquire: ["unknown"], void: ["unknown"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  const sagaId = transfer!.id;
  await transfers.operators.undoSaga({ sagaId, reason }, asOperator);
  const parked = await transfers.reached(memberId, sagaId, PARKED);
  assert.equal(parked.failure?.code, "BANK_OUTCOME_UNKNOWN");
  const { saga } = await transfers.operators.getSaga({ sagaId }, asOperator);
  assert.deepEqual([saga?.waits[0]?.role, saga?.actions], ["void", ["resume", "undo", "skip"]]);
  transfers.others.play({ void: ["PAYMENT_VOIDED"] });
  await transfers.operators.resumeSaga({ sagaId, reason }, asOperator);
  assert.equal((await transfers.reached(memberId, sagaId, FAILED)).failure?.code, "PAYMENT_VOIDED");
  assert.ok(!transfers.others.commandsFor(sagaId).includes("settle"));
});

test("a bank that never says what it did: the second undo goes by the operator's word", async () => {
  transfers.others.play({ send: ["unknown"], inquire: ["unknown"], void: ["unknown"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  const sagaId = transfer!.id;
  await transfers.operators.undoSaga({ sagaId, reason }, asOperator);
  await transfers.reached(memberId, sagaId, PARKED);
  assert.ok(!transfers.others.commandsFor(sagaId).includes("release"));
  await transfers.operators.undoSaga({ sagaId, reason }, asOperator);
  const failed = await transfers.reached(memberId, sagaId, FAILED);
  assert.deepEqual(
    [failed.failure?.code, transfers.others.commandsFor(sagaId).at(-1)],
    ["BANK_OUTCOME_UNKNOWN", "release"],
  );
});

test("an operator undoes a move within the platform: its release rules the settle out, or says that it is done", async () => {
  const to = transfers.directory.openAccount(newUuid());
  const destination = { kind: { case: "accountId" as const, value: to } };
  for (const [said, end] of [
    ["done", FAILED],
    ["HOLD_RELEASED", COMPLETED],
  ] as const) {
    transfers.others.play({ settle: ["UNAVAILABLE"], release: [said, "done"] });
    const { transfer } = await transfers.create(memberId, { sourceAccountId, destination });
    assert.equal(transfer?.state, PARKED);
    await transfers.operators.undoSaga({ sagaId: transfer!.id, reason }, asOperator);
    const ended = await transfers.reached(memberId, transfer!.id, end);
    assert.equal(ended.failure?.code, end === FAILED ? "ENDED_BY_OPERATOR" : undefined);
  }
});
