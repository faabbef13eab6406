import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { type Client, ConnectError, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { BankingService, PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { startBank } from "../../local/bank/server.ts";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import {
  bankingTemplate,
  commandOf,
  MEMBER,
  REPLIES,
  readReply,
  repliesOf,
  startBanking,
  until,
} from "./banking.fixture.ts";
import { insertCalls, listCalls } from "./store/call-store.ts";

let bank: Awaited<ReturnType<typeof startBank>>;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "ferry-banking-"));
  bank = await startBank({ directory: folder, port: 0, timeouts: { lateMs: 2_000, silentMs: 60_000 } });
});
after(async () => {
  await bank.stop();
  await rm(folder, { recursive: true, force: true });
});

const { DONE, REFUSED, UNKNOWN } = PaymentOutcome;
type Options = Partial<Parameters<typeof startBanking>[0]>;

/** Banking on a database of its own; both go with the test. */
async function open(t: TestContext, options: Options = {}, prepare?: (url: string) => Promise<void>) {
  const { url, drop } = await createTestDatabase(bankingTemplate);
  await prepare?.(url);
  const banking = await startBanking({ url, bankUrl: `http://127.0.0.1:${bank.port}`, ...options });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= banking.stop();
    return stopped;
  };
  t.after(async () => {
    await stop();
    await drop();
  });
  return { ...banking, url, stop };
}

/** Stands where the server's mapping of errors does. */
const withReasons: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw error instanceof FerryError ? new ConnectError(error.reason, error.entry.grpcCode) : error;
  }
};

function clientOf({ routes }: Pick<Awaited<ReturnType<typeof open>>, "routes">): Client<typeof BankingService> {
  return createClient(BankingService, createRouterTransport(routes, { router: { interceptors: [withReasons] } }));
}

/** Where nobody listens. */
const NOWHERE = "http://127.0.0.1:1";

const pendingCount = async ({ database }: Pick<Awaited<ReturnType<typeof open>>, "database">, references: string[]) => {
  const calls = await Promise.all(references.map((reference) => listCalls(database, reference, 10)));
  return calls.flat().filter(({ outcome }) => outcome === "pending").length;
};

/** A bank for one test, which lets whom it does not answer wait until it is cut off. */
async function openBank(t: TestContext) {
  const own = await startBank({ directory: join(folder, newUuid()), port: 0, timeouts: { silentMs: 60_000 } });
  let cut: Promise<void> | undefined;
  const cutOff = () => {
    cut ??= own.stop();
    return cut;
  };
  t.after(cutOff);
  return { bankUrl: `http://127.0.0.1:${own.port}`, cutOff };
}

test("accounts that never answer do not hold up the others", async (t) => {
  const { bankUrl, cutOff } = await openBank(t);
  const banking = await open(t, { bankUrl, timeoutMs: 30_000, connections: 8 });
  const silent = Array.from({ length: 5 }, () => newUuid());
  await banking.bus.publish(silent.map((reference) => commandOf("send", reference, "20009999")));
  for (let round = 0; round < 5; round++)
    assert.equal((await banking.ask("send", newUuid(), "20000001")).outcome, DONE);
  assert.equal(await pendingCount(banking, silent), 5, "the silent ones still wait");
  await cutOff(); // Their connections, so that the stop need not wait for them.
  await until(
    "the silent ones are known to be lost",
    async () => (await pendingCount(banking, silent)) === 0 || undefined,
  );
});

test("a call of an instance that is gone is taken over after its lease, and not before", async (t) => {
  const [left, held] = [newUuid(), newUuid()];
  const route = { replyTo: REPLIES, sagaId: newUuid(), sagaStep: "send" };
  const operation = { kind: "send", accountNumber: "20000001", currency: "EUR", amountMinor: 5n, memo: "" } as const;
  const call = { bankCode: "081", operation, route, traceparent: undefined };
  const banking = await open(t, {}, async (url) => {
    const database = openDatabase({ url, ...PATIENT });
    await insertCalls(database, [{ ...call, id: "left", reference: left }], 0);
    await insertCalls(database, [{ ...call, id: "held", reference: held }], 60_000);
    await database.close();
  });
  const [record] = await repliesOf(banking.bus, route.sagaId);
  assert.deepEqual([record?.key, readReply(record!).outcome], [left, DONE]);
  assert.equal(await pendingCount(banking, [left, held]), 1);
  assert.equal((await listCalls(banking.database, left, 10)).length, 1);
});

test("a stop finishes what is under way, and leaves the rest to the next instance at once", async (t) => {
  const references = Array.from({ length: 6 }, () => newUuid());
  const { bankUrl, cutOff } = await openBank(t);
  const first = await open(t, { bankUrl, connections: 2, timeoutMs: 30_000 });
  await first.bus.publish(references.map((reference) => commandOf("send", reference, "20009999")));
  await until("all are recorded", async () => (await pendingCount(first, references)) === 6 || undefined);
  const waiting = clientOf(first).verifyAccount({
    reference: newUuid(),
    account: { bankCode: "081", accountNumber: "20000001" },
  });
  const refused = assert.rejects(waiting, /UNAVAILABLE/);
  await until(
    "the caller's call is recorded",
    async () => (await first.database.query("TABLE bank_call")).length === 7 || undefined,
  );
  const stopping = first.stop();
  await refused; // From now on nothing is begun.
  await cutOff(); // So the two under way end, and their ends are recorded.
  await stopping;

  const second = await startBanking({ url: first.url, bankUrl: `http://127.0.0.1:${bank.port}`, timeoutMs: 200 });
  try {
    await until("none is left", async () => (await pendingCount(second, references)) === 0 || undefined);
    const calls = (await Promise.all(references.map((reference) => listCalls(second.database, reference, 10)))).flat();
    assert.equal(calls.length, 6);
    assert.equal(calls.filter(({ detail }) => detail === "no answer within 200 ms").length, 4);
  } finally {
    await second.stop();
  }
});

test("a bank that is away: the question may be asked again, a payment is not known", async (t) => {
  const banking = await open(t, { bankUrl: NOWHERE });
  const reference = newUuid();
  assert.equal((await banking.ask("verify", reference, "20000001")).failure?.code, "BANK_UNAVAILABLE");
  for (const kind of ["send", "collect", "inquire"] as const) {
    const { outcome, failure } = await banking.ask(kind, reference, "20000001");
    assert.deepEqual([outcome, failure?.code], [UNKNOWN, "BANK_OUTCOME_UNKNOWN"], kind);
  }
  const calls = await listCalls(banking.database, reference, 10);
  assert.deepEqual(
    calls.map(({ detail }) => detail),
    Array(4).fill("ECONNREFUSED"),
  );
});

test("the same by rpc: answers, no reply on the bus, and the list of all calls", async (t) => {
  const banking = await open(t);
  const client = clientOf(banking);
  const reference = newUuid();
  const amount = { currency: "EUR", minorUnits: 5n };
  const account = { bankCode: "081", accountNumber: "1100000001" };
  assert.deepEqual((await client.verifyAccount({ reference, account })).failure, undefined);
  for (let round = 0; round < 2; round++)
    assert.equal((await client.sendPayment({ reference, creditor: account, amount })).outcome, DONE);
  const other = await client.sendPayment({ reference, creditor: account, amount: { ...amount, minorUnits: 6n } });
  assert.equal(other.outcome, UNKNOWN, "the reference is taken: by what, only asking tells");
  assert.equal((await client.inquirePayment({ reference, bankCode: "081" })).outcome, DONE);
  const collected = await client.collectPayment({ reference: newUuid(), debtor: account, amount, memberId: MEMBER });
  assert.equal(collected.outcome, DONE);
  const refused = await client.sendPayment({ reference: newUuid(), creditor: { ...account, bankCode: "999" }, amount });
  assert.deepEqual([refused.outcome, refused.failure?.code], [REFUSED, "BANK_UNKNOWN"]);

  const { calls } = await client.listBankCalls({ reference: reference.toUpperCase() });
  assert.deepEqual(
    calls.map(({ operation, outcome }) => `${operation} ${outcome}`),
    ["verify done", "send done", "send done", "send unknown", "inquire done"],
  );
  for (const call of calls) {
    assert.equal(call.reference, reference);
    assert.ok(call.startTime !== undefined && call.duration !== undefined);
  }
  assert.deepEqual((await client.listBankCalls({ reference: newUuid() })).calls, []);
  assert.equal(banking.bus.records(REPLIES).length, 0);
});
