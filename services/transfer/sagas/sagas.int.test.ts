import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PlaceHoldRequest, SettleHoldRequest } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import {
  StepState,
  TransferCompletedSchema,
  TransferFailedSchema,
  TransferState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { newTraceparent } from "@ferry/platform/telemetry";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { as, type Part, type Script, startTransfers, transferTemplate, until } from "../transfer.fixture.ts";

let testDatabase: TestDatabase;
let transfers: Awaited<ReturnType<typeof startTransfers>>;
const memberId = newUuid();
let sourceAccountId: string;

before(async () => {
  testDatabase = await createTestDatabase(transferTemplate);
  transfers = await startTransfers({ url: testDatabase.url });
  sourceAccountId = transfers.directory.openAccount(memberId);
});
after(async () => {
  await transfers.stop();
  await testDatabase.drop();
});

const { COMPLETED, FAILED } = TransferState;
const [PENDING, DONE, STEP_FAILED, UNDONE] = [StepState.PENDING, StepState.DONE, StepState.FAILED, StepState.UNDONE];
const traceIdOf = (traceparent: string | undefined) => traceparent?.slice(3, 35);

test("to a bank: step by step to the end, and an event says so", async () => {
  transfers.others.play({});
  const traceparent = newTraceparent();
  const { client, others } = transfers;
  const { transfer, replayed } = await client.createTransfer(
    {
      sourceAccountId,
      destination: { kind: { case: "bankAccount", value: { bankCode: "081", accountNumber: "20000001" } } },
      amount: { currency: "EUR", minorUnits: 1_250n },
      memo: "rent",
    },
    as(memberId, { "idempotency-key": "first", prefer: "wait=10", traceparent }),
  );
  assert.ok(transfer);
  assert.deepEqual([transfer.state, transfer.failure, replayed], [COMPLETED, undefined, false]);
  assert.deepEqual(
    [transfer.sourceAccountId, transfer.memo, transfer.amount?.minorUnits],
    [sourceAccountId, "rent", 1_250n],
  );
  assert.deepEqual(
    transfer.steps.map(({ name, state, attempts }) => [name, state, attempts]),
    ["verify-account", "place-hold", "send", "settle"].map((name) => [name, DONE, 1]),
  );
  for (const { startTime, endTime } of transfer.steps) assert.ok(startTime !== undefined && endTime !== undefined);

  assert.deepEqual(others.commandsFor(transfer.id), ["verify", "hold", "send", "settle"]);
  const commands = others.envelopesFor(transfer.id);
  assert.deepEqual(
    commands.map(({ expiresAt }) => expiresAt !== undefined),
    [true, true, false, false],
    "only before the pivot",
  );
  for (const command of commands) {
    assert.deepEqual([command.sagaId, command.replyTo], [transfer.id, "ferry.transfer.replies.v1"]);
    assert.equal(traceIdOf(command.traceparent), traceIdOf(traceparent));
  }
  const hold = commands[1]!.message as PlaceHoldRequest;
  assert.deepEqual([hold.transferId, hold.payerMemberId, hold.destinationAccountId], [transfer.id, memberId, ""]);

  const [completed, more] = await until("the event", () => {
    const found = transfers.eventsOf(transfer.id, TransferCompletedSchema);
    return found.length > 0 ? found : undefined;
  });
  assert.equal(more, undefined);
  const { event, headers } = completed!;
  assert.deepEqual([event.transferId, event.memberId, event.version], [transfer.id, memberId, 5n]);
  assert.deepEqual([event.transfer?.state, event.transfer?.steps.length], [COMPLETED, 4]);
  assert.equal(headers.ce_id, `${transfer.id}:5`);
  assert.equal(traceIdOf(headers.traceparent), traceIdOf(traceparent));
});

test("within the platform: no bank is asked", async () => {
  transfers.others.play({});
  const target = transfers.directory.openAccount(newUuid());
  const destination = { kind: { case: "accountId" as const, value: target } };
  const { transfer } = await transfers.create(memberId, { sourceAccountId, destination });
  assert.equal(transfer?.state, COMPLETED);
  assert.deepEqual(transfer.destination?.kind, destination.kind);
  assert.deepEqual(
    transfer.steps.map(({ name, state }) => [name, state]),
    [
      ["place-hold", DONE],
      ["settle", DONE],
    ],
  );
  const [hold, settle] = transfers.others.envelopesFor(transfer.id);
  assert.equal((hold!.message as PlaceHoldRequest).destinationAccountId, target);
  assert.deepEqual((settle!.message as SettleHoldRequest).destination, { case: "destinationAccountId", value: target });
});

test("transfers that are recorded together keep each its own trace", async () => {
  transfers.others.play({});
  const traces = Array.from({ length: 8 }, () => newTraceparent());
  const made = await Promise.all(
    traces.map((traceparent) => transfers.create(memberId, { sourceAccountId }, { traceparent })),
  );
  for (const [index, { transfer }] of made.entries())
    for (const { traceparent } of transfers.others.envelopesFor(transfer!.id))
      assert.equal(traceIdOf(traceparent), traceIdOf(traces[index]));
});

interface Case {
  what: string;
  script: Script;
  commands: Part[];
  /** Absent when it completes. */
  failure?: string;
  steps?: StepState[];
  attempts?: [step: string, count: number];
}

const whole: Part[] = ["verify", "hold", "send", "settle"];
const cases: Case[] = [
  {
    what: "the payee's account is refused",
    script: { verify: ["BANK_ACCOUNT_CLOSED"] },
    commands: ["verify"],
    failure: "ACCOUNT_NOT_VERIFIED",
    steps: [STEP_FAILED, PENDING, PENDING, PENDING],
  },
  {
    what: "the bank cannot be asked at first",
    script: { verify: ["BANK_UNAVAILABLE", "EXPIRED", "done"] },
    commands: ["verify", "verify", ...whole],
    attempts: ["verify-account", 3],
  },
  {
    what: "the money is not there",
    script: { hold: ["INSUFFICIENT_BALANCE"] },
    commands: ["verify", "hold"],
    failure: "INSUFFICIENT_BALANCE",
    steps: [DONE, STEP_FAILED, PENDING, PENDING],
  },
  {
    what: "the hold is refused only at the second attempt: the first may still come, so it is released",
    script: { hold: ["OVERLOADED", "INSUFFICIENT_BALANCE"] },
    commands: ["verify", "hold", "hold", "release"],
    failure: "INSUFFICIENT_BALANCE",
    steps: [DONE, UNDONE, PENDING, PENDING],
  },
  {
    what: "the bank refuses the payment",
    script: { send: ["BANK_REFUSED"] },
    commands: ["verify", "hold", "send", "release"],
    failure: "BANK_REFUSED",
    steps: [DONE, UNDONE, STEP_FAILED, PENDING],
  },
  {
    what: "the payment's end is unknown, and it is done",
    script: { send: ["unknown"], inquire: ["unknown", "done"] },
    commands: ["verify", "hold", "send", "inquire", "inquire", "settle"],
    attempts: ["send", 1],
  },
  {
    what: "the payment's end is unknown, and it is not there: it is sent again",
    script: { send: ["unknown", "done"], inquire: ["not-found"] },
    commands: ["verify", "hold", "send", "inquire", "send", "settle"],
    attempts: ["send", 2],
  },
  {
    what: "the payment's end is unknown, and it was refused",
    script: { send: ["unknown"], inquire: ["BANK_REFUSED"] },
    commands: ["verify", "hold", "send", "inquire", "release"],
    failure: "BANK_REFUSED",
    steps: [DONE, UNDONE, STEP_FAILED, PENDING],
  },
  {
    what: "the books cannot be written at first",
    script: { settle: ["UNAVAILABLE", "OVERLOADED", "done"] },
    commands: [...whole, "settle", "settle"],
    attempts: ["settle", 3],
  },
  {
    what: "the hold cannot be released at first",
    script: { send: ["BANK_REFUSED"], release: ["UNAVAILABLE", "done"] },
    commands: ["verify", "hold", "send", "release", "release"],
    failure: "BANK_REFUSED",
    steps: [DONE, UNDONE, STEP_FAILED, PENDING],
  },
];

for (const { what, script, commands, failure, steps, attempts } of cases)
  test(`${what}: ${failure === undefined ? "COMPLETED" : "FAILED"}`, async () => {
    transfers.others.play(script);
    const { transfer } = await transfers.create(memberId, { sourceAccountId });
    assert.equal(transfer?.state, failure === undefined ? COMPLETED : FAILED);
    assert.equal(transfer.failure?.code, failure);
    assert.deepEqual(transfers.others.commandsFor(transfer.id), commands);
    assert.deepEqual(
      transfer.steps.map(({ state }) => state),
      steps ?? [DONE, DONE, DONE, DONE],
    );
    if (attempts !== undefined)
      assert.equal(transfer.steps.find(({ name }) => name === attempts[0])?.attempts, attempts[1]);
    if (failure === undefined) return;
    assert.notEqual(transfer.failure?.message, "");
    const [failed] = await until("the event", () => {
      const found = transfers.eventsOf(transfer.id, TransferFailedSchema);
      return found.length > 0 ? found : undefined;
    });
    assert.deepEqual([failed!.event.transfer?.state, failed!.event.transfer?.failure?.code], [FAILED, failure]);
  });
