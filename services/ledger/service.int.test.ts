// Over 300 lines because both doors, all rpcs and the bus, are asked of one running service.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import {
  AccountState,
  CreditAccountRequestSchema,
  LedgerService,
  PlaceHoldRequestSchema,
  PlaceHoldResponseSchema,
  ReleaseHoldRequestSchema,
  SettleHoldRequestSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import {
  createAuthenticator,
  createAuthorityState,
  createServiceIdentity,
  createTokenSigner,
  generateKeyPair,
  toJwks,
} from "@ferry/platform/auth";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createMemoryBus, deadLetterTopic, type ReceivedRecord, writeHeaders } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel, type RpcChannel } from "@ferry/platform/rpc";
import { silentLogger as logger, newTraceparent } from "@ferry/platform/telemetry";
import { bePatient, PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { commandsTopic } from "./consumers/commands.ts";
import { createLedgerService } from "./service.ts";
import { ledgerMigrations } from "./store/migrations.ts";
import { assertBooksHold } from "./store/test-ledger.ts";

const REPLIES = "ferry.transfer.replies.v1";
const serviceKeys = generateKeyPair();
const memberKeys = generateKeyPair();
const signer = createTokenSigner({ kid: "member-1", privateKeyPem: memberKeys.privateKeyPem });
const bus = createMemoryBus();
let parts: Component[] = [];
let channel: RpcChannel;
let database: Database;
let drop: () => Promise<void>;
let ledger: Client<typeof LedgerService>;

bePatient(LedgerService);

before(async () => {
  const run = (url: string) => migrate(url, [outboxMigrations, ledgerMigrations]);
  const made = await createTestDatabase({ name: "ledger_service", run });
  drop = made.drop;
  database = openDatabase({ url: made.url, ...PATIENT }); // 32 holds at once wait for eight connections.
  const outbox = createOutbox({ database, bus, source: "ferry/ledger", logger });
  const service = createLedgerService({ database, bus, outbox });
  const authority = createAuthorityState();
  authority.apply({
    snapshot: true,
    suspendedMemberIds: [],
    reinstatedMemberIds: [],
    revokedSessionIds: [],
    keys: [{ kid: "member-1", publicKeyPem: memberKeys.publicKeyPem }],
  });
  const trustedServices = JSON.stringify(
    toJwks(
      new Map([
        ["payment", serviceKeys.publicKeyPem],
        ["stranger", serviceKeys.publicKeyPem],
      ]),
    ),
  );
  const authenticator = createAuthenticator({ audience: "ledger", authority, trustedServices });
  const build = { service: "ledger", version: "0", commit: "none", buildTime: "none" };
  const server = createRpcServer({ service: "ledger", port: 0, routes: service.routes, authenticator, logger, build });
  parts = [outbox, server, ...service.components];
  for (const part of parts) await part.start?.();
  const identity = createServiceIdentity({ name: "payment", privateKeyPem: serviceKeys.privateKeyPem });
  const url = `http://127.0.0.1:${server.port}`;
  channel = openChannel({ url, audience: "ledger", identity, logger, ...PATIENT });
  ledger = createRpcClient(LedgerService, channel);
});

after(async () => {
  channel.close();
  for (const part of parts.toReversed()) await part.stop?.();
  await bus.close();
  await database.close();
  await drop();
});

const euros = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });
const source = { bankCode: "081", accountNumber: "1100000001" };
const because = (reason: string) => (error: FerryError) => error.reason === reason;

function as(memberId: string, role: "member" | "operator" = "member"): CallOptions {
  const token = signer.sign({ memberId, sessionId: newUuid(), role });
  return { headers: { authorization: `Bearer ${token}` } };
}

async function openFunded(memberId: string, amount: bigint): Promise<string> {
  const { account } = await ledger.openAccount({ currency: "EUR" }, as(memberId));
  const { failure } = await ledger.creditAccount({
    reference: newUuid(),
    accountId: account!.id,
    amount: euros(amount),
    source,
  });
  assert.equal(failure, undefined);
  return account!.id;
}

interface Facts {
  id?: string;
  sagaId?: string;
  sagaStep?: string;
  replyTo?: string;
  expiresAt?: Date;
  traceparent?: string;
}

function record<Schema extends DescMessage>(schema: Schema, key: string, init: MessageInitShape<Schema>, facts: Facts) {
  const headers = writeHeaders({
    id: newUuid(),
    replyTo: REPLIES,
    ...facts,
    type: schema.typeName,
    source: "ferry/transfer",
    time: new Date(),
  });
  return { topic: commandsTopic, key, value: toBinary(schema, create(schema, init)), headers };
}

/** Waits until the topic has that many records that the filter takes. */
async function arrived(topic: string, count: number, filter: (one: ReceivedRecord) => boolean) {
  for (const deadline = Date.now() + 10_000; ; ) {
    const found = bus.records(topic).filter(filter);
    if (found.length >= count) return found;
    assert.ok(Date.now() < deadline, `${found.length} of ${count} records on ${topic}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A hold, one that comes too late, the settle of the first with an expiry that does not count for it, and two repeats. */
function sendMoney(memberId: string, accountId: string, sagaId: string, traceparent: string) {
  const transferId = newUuid();
  const request = { transferId, sourceAccountId: accountId, payerMemberId: memberId, amount: euros(60n) };
  const destination = { case: "destinationBankAccount", value: source } as const;
  const [soon, before] = [new Date(Date.now() + 60_000), new Date(Date.now() - 1)];
  const hold = (sagaStep: string, facts: Facts = {}, id = transferId) =>
    record(PlaceHoldRequestSchema, accountId, { ...request, transferId: id }, { sagaId, sagaStep, ...facts });
  const placed = hold("place-hold", { traceparent, expiresAt: soon });
  const settle = { transferId, sourceAccountId: accountId, destination };
  const settled = record(SettleHoldRequestSchema, accountId, settle, { sagaId, sagaStep: "settle", expiresAt: before });
  const late = hold("late", { expiresAt: before }, newUuid());
  return { transferId, sequence: [placed, late, settled, placed, hold("place-hold-again")], last: hold("last") };
}

test("commands over the bus are answered to the saga and step that asked, as often as they are delivered", async () => {
  const [memberId, sagaId] = [newUuid(), newUuid()];
  const traceparent = newTraceparent(true);
  const accountId = await openFunded(memberId, 100n);
  const { transferId, sequence, last } = sendMoney(memberId, accountId, sagaId, traceparent);
  await bus.publish(sequence);
  const ofSaga = (one: ReceivedRecord) => one.headers.saga_id === sagaId;
  await arrived(REPLIES, sequence.length, ofSaga);

  // The whole sequence once more: it has no second effect, and gets the answers that it got before.
  await bus.publish([...sequence, last]);
  await arrived(REPLIES, 2 * sequence.length + 1, ofSaga);
  const replies = bus.records(REPLIES).filter(ofSaga);
  const answers = replies.map(({ headers, value }) => [
    headers.saga_step,
    fromBinary(PlaceHoldResponseSchema, value!).failure?.code,
  ]);
  // Order is kept per transfer: replies are keyed by it.
  const steps = ["place-hold", "settle", "place-hold", "place-hold-again"];
  assert.deepEqual(
    answers.filter(([step]) => step !== "late"),
    [...steps, ...steps, "last"].map((step) => [step, undefined]),
  );
  assert.deepEqual(
    answers.filter(([step]) => step === "late"),
    [
      ["late", "EXPIRED"],
      ["late", "EXPIRED"],
    ],
  );
  const first = replies.find(({ headers }) => headers.saga_step === "place-hold");
  assert.equal(first?.key, transferId);
  assert.equal(first?.headers.ce_type, "ferry.ledger.v1.PlaceHoldResponse");
  assert.equal(first?.headers.traceparent?.slice(0, 35), traceparent.slice(0, 35));

  const { account } = await ledger.getAccount({ accountId }, as(memberId));
  assert.deepEqual([account?.balance?.minorUnits, account?.available?.minorUnits], [40n, 40n]);
  await assertBooksHold(database);
});

test("a hold that is delivered again after its release is not placed anew, and nobody hears that it is", async () => {
  const [memberId, sagaId, transferId] = [newUuid(), newUuid(), newUuid()];
  const sourceAccountId = await openFunded(memberId, 100n);
  const request = { transferId, sourceAccountId, payerMemberId: memberId, amount: euros(60n) };
  const placed = record(PlaceHoldRequestSchema, sourceAccountId, request, { sagaId });
  const release = record(ReleaseHoldRequestSchema, sourceAccountId, { transferId, sourceAccountId }, { sagaId });
  await bus.publish([placed, release, placed, release]);
  const replies = await arrived(REPLIES, 4, (one) => one.headers.saga_id === sagaId);
  assert.deepEqual(
    replies.map(({ value }) => fromBinary(PlaceHoldResponseSchema, value!).failure?.code),
    [undefined, undefined, "HOLD_RELEASED", undefined],
  );
  const { account } = await ledger.getAccount({ accountId: sourceAccountId }, as(memberId));
  assert.equal(account?.available?.minorUnits, 100n);
});

test("what can never be carried out goes to the dead letters alone, and the rest of its set is answered", async () => {
  const memberId = newUuid();
  const accountId = await openFunded(memberId, 100n);
  const sagaId = newUuid();
  const hold = (amount: bigint) => ({
    transferId: newUuid(),
    sourceAccountId: accountId,
    payerMemberId: memberId,
    amount: euros(amount),
  });
  const bad = [
    record(PlaceHoldRequestSchema, accountId, hold(-5n), { sagaId }),
    record(PlaceHoldRequestSchema, accountId, { ...hold(5n), transferId: "nonsense" }, { sagaId }),
    record(PlaceHoldRequestSchema, accountId, hold(5n), { sagaId, replyTo: "ferry.transfer.events.v1" }),
    record(CreditAccountRequestSchema, accountId, { reference: newUuid(), accountId, amount: euros(5n) }, { sagaId }),
  ];
  const good = record(PlaceHoldRequestSchema, accountId, hold(5n), { sagaId });
  await bus.publish([...bad.slice(0, 2), good, ...bad.slice(2)]);
  const ofSaga = (one: ReceivedRecord) => one.headers.saga_id === sagaId;
  await arrived(deadLetterTopic(commandsTopic), bad.length, ofSaga);
  await arrived(REPLIES, 1, ofSaga);
  const { account } = await ledger.getAccount({ accountId }, as(memberId));
  assert.deepEqual([account?.balance?.minorUnits, account?.available?.minorUnits], [100n, 95n]);
});

test("a member sees their own accounts only, by every rpc", async () => {
  const [memberId, other] = [newUuid(), newUuid()];
  const accountId = await openFunded(memberId, 10n);
  const mine = await ledger.listAccounts({}, as(memberId));
  assert.deepEqual(
    mine.accounts.map(({ id, state }) => [id, state]),
    [[accountId, AccountState.OPEN]],
  );
  const { entries } = await ledger.listEntries({ accountId: accountId.toUpperCase() }, as(memberId));
  assert.deepEqual([entries.length, entries[0]?.amount?.minorUnits, entries[0]?.amount?.currency], [1, 10n, "EUR"]);
  await assert.rejects(ledger.closeAccount({ accountId }, as(memberId)), because("ACCOUNT_NOT_EMPTY"));
  for (const call of [ledger.getAccount, ledger.listEntries, ledger.closeAccount])
    await assert.rejects(call({ accountId }, as(other)), because("NOT_FOUND"));
  await assert.rejects(ledger.openAccount({ currency: "DEM" }, as(memberId)), because("CURRENCY_UNKNOWN"));
  await assert.rejects(ledger.listAccounts({}), because("PERMISSION_DENIED"));

  const empty = await ledger.openAccount({ currency: "JPY" }, as(memberId));
  for (let round = 0; round < 2; round++) {
    const { account } = await ledger.closeAccount({ accountId: empty.account!.id }, as(memberId));
    assert.equal(account?.state, AccountState.CLOSED);
  }
});

test("services ask by rpc what they could ask by the bus, and get facts of many accounts at once", async () => {
  const memberId = newUuid();
  const accountId = await openFunded(memberId, 100n);
  const spelled = accountId.toUpperCase();
  const { accounts } = await ledger.batchGetAccountFacts({ accountIds: [spelled, newUuid()] });
  assert.deepEqual(Object.keys(accounts), [spelled]);
  assert.deepEqual([accounts[spelled]?.ownerId, accounts[spelled]?.currency], [memberId, "EUR"]);

  const holds = Array.from({ length: 32 }, () => ({
    transferId: newUuid(),
    sourceAccountId: accountId,
    payerMemberId: memberId,
    amount: euros(10n),
  }));
  const placed = await Promise.all(holds.map((hold) => ledger.placeHold(hold)));
  const codes = placed.map(({ failure }) => failure?.code);
  assert.equal(codes.filter((code) => code === undefined).length, 10);
  assert.equal(codes.filter((code) => code === "INSUFFICIENT_BALANCE").length, 22);
  const first = holds[codes.indexOf(undefined)]!;
  const { transferId, sourceAccountId } = first;
  assert.equal((await ledger.releaseHold({ transferId, sourceAccountId })).failure, undefined);
  const destination = { case: "destinationBankAccount", value: source } as const;
  const { failure } = await ledger.settleHold({ transferId, sourceAccountId, destination });
  assert.deepEqual([failure?.code, failure?.message.length !== 0], ["HOLD_RELEASED", true]);

  await assert.rejects(ledger.placeHold(first, as(memberId)), because("PERMISSION_DENIED"));
  const identity = createServiceIdentity({ name: "stranger", privateKeyPem: serviceKeys.privateKeyPem });
  const headers = { authorization: identity.authorizationFor("ledger") };
  await assert.rejects(ledger.placeHold(first, { headers }), because("PERMISSION_DENIED"));
  await assertBooksHold(database);
});

test("operators freeze accounts by route and services by rpc; a member can do neither, and sees it", async () => {
  const [memberId, operatorId, reason] = [newUuid(), newUuid(), "an alarm"];
  const accountId = await openFunded(memberId, 100n);
  const frozen = await ledger.freezeAccount({ accountId, reason }, as(operatorId, "operator"));
  assert.equal(frozen.account?.state, AccountState.FROZEN);
  const hold = { transferId: newUuid(), sourceAccountId: accountId, payerMemberId: memberId, amount: euros(1n) };
  assert.equal((await ledger.placeHold(hold)).failure?.code, "ACCOUNT_FROZEN");
  assert.equal((await ledger.getAccount({ accountId }, as(memberId))).account?.state, AccountState.FROZEN);
  const { accounts } = await ledger.batchGetAccountFacts({ accountIds: [accountId] });
  assert.equal(accounts[accountId]?.state, AccountState.FROZEN);

  assert.deepEqual(await ledger.unfreezeAccounts({ accountIds: [accountId.toUpperCase()], reason }), {
    $typeName: "ferry.ledger.v1.UnfreezeAccountsResponse",
    accountIds: [accountId],
  });
  assert.equal((await ledger.placeHold({ ...hold, transferId: newUuid() })).failure, undefined);
  const actors = await database.query("SELECT actor FROM account_audit WHERE account_id = $1 ORDER BY at", [accountId]);
  assert.deepEqual(actors, [{ actor: `operator:${operatorId}` }, { actor: "payment" }]);

  await assert.rejects(ledger.freezeAccount({ accountId, reason }, as(memberId)), because("PERMISSION_DENIED"));
  await assert.rejects(
    ledger.freezeAccounts({ accountIds: [accountId], reason }, as(memberId)),
    because("PERMISSION_DENIED"),
  );
  await assert.rejects(
    ledger.unfreezeAccount({ accountId, reason: "" }, as(operatorId, "operator")),
    because("INVALID_REQUEST"),
  );
});
