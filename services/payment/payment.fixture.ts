import assert from "node:assert/strict";
import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type CallOptions, createClient, createRouterTransport } from "@connectrpc/connect";
import * as banking from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import * as ledger from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { CreateTopUpRequestSchema, PaymentService, type TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import type { Authenticator } from "@ferry/platform/auth";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { consume, createMemoryBus, type Envelope, type MemoryBus, writeHeaders } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { createPaymentService, migrations } from "./service.ts";

/** For tests: what a database needs to become payment's. */
export const paymentTemplate = {
  name: "payment",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations]),
};

const build = { service: "payment", version: "0", commit: "none", buildTime: "none" };
const TOPICS = ["ferry.ledger.commands.v1", "ferry.banking.commands.v1"];
const PATIENCE_MS = 15_000;

/** Resolves with what the look-up gives, as soon as it gives something. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export type Part = "collect" | "inquire" | "credit";
/** What each command is answered, one after another; the last again and again: "done", "unknown", "not-found", or the reason of a refusal. */
export type Script = Partial<Record<Part, string[]>>;

const PARTS: Record<Part, [request: DescMessage, reply: DescMessage]> = {
  collect: [banking.CollectPaymentRequestSchema, banking.CollectPaymentResponseSchema],
  inquire: [banking.InquirePaymentRequestSchema, banking.InquirePaymentResponseSchema],
  credit: [ledger.CreditAccountRequestSchema, ledger.CreditAccountResponseSchema],
};

const { DONE, REFUSED, UNKNOWN, NOT_FOUND } = banking.PaymentOutcome;
const OUTCOMES: Record<string, banking.PaymentOutcome> = { done: DONE, unknown: UNKNOWN, "not-found": NOT_FOUND };
const CODES: Record<string, string> = { unknown: "BANK_OUTCOME_UNKNOWN", "not-found": "BANK_REFERENCE_UNKNOWN" };

function replyOf(part: Part, said: string): Message {
  const code = CODES[said] ?? said;
  const failure = said === "done" ? undefined : { code, message: `because ${code}` };
  const outcome = part === "credit" ? {} : { outcome: OUTCOMES[said] ?? REFUSED };
  return create(PARTS[part][1], { failure, ...outcome } as MessageInitShape<DescMessage>);
}

/** For tests: ledger and banking, as far as they answer commands, by a script that a test can change. */
async function startOthers(bus: MemoryBus) {
  const parts = Object.keys(PARTS) as Part[];
  const received: { part: Part; envelope: Envelope<Message> }[] = [];
  let script: Script = {};
  const of = (id: string) => received.filter(({ envelope }) => envelope.sagaId === id);

  await bus.ensureTopics(TOPICS.map((name) => ({ name })));
  await consume(bus, {
    group: "others",
    topics: TOPICS,
    schemas: parts.map((part) => PARTS[part][0]),
    async handle(set) {
      for (const envelope of set) {
        const part = parts.find((each) => PARTS[each][0].typeName === envelope.type)!;
        const { id, sagaId = "", sagaStep, replyTo = "" } = envelope;
        const count = of(sagaId).filter((each) => each.part === part).length;
        received.push({ part, envelope });
        const lines = script[part] ?? ["done"];
        const [schema, reply] = [PARTS[part][1], replyOf(part, lines[Math.min(count, lines.length - 1)]!)];
        const facts = { id: `${id}:reply`, sagaId, sagaStep, source: "ferry/others", time: new Date() };
        const headers = writeHeaders({ ...facts, type: schema.typeName });
        await bus.publish([{ topic: replyTo, key: sagaId, value: toBinary(schema, reply), headers }]);
      }
    },
  });
  return {
    /** From now on. */
    play(next: Script) {
      script = next;
    },
    /** The commands for a top-up, in order. */
    commandsFor: (id: string) => of(id).map(({ part }) => part),
    envelopesFor: (id: string) => of(id).map(({ envelope }) => envelope),
  };
}

/** For tests: what member and ledger say to those who ask by rpc. */
function createDirectory() {
  const suspended = new Set<string>();
  const accounts = new Map<string, { ownerId: string; currency: string; state: ledger.AccountState }>();
  const stateOf = (id: string) => (suspended.has(id) ? MemberState.SUSPENDED : MemberState.ACTIVE);
  const transport = createRouterTransport(({ service }) => {
    service(MemberService, {
      batchGetMemberStates: ({ memberIds }) => ({
        states: Object.fromEntries(memberIds.map((id) => [id, stateOf(id)])),
      }),
    });
    service(ledger.LedgerService, {
      batchGetAccountFacts: ({ accountIds }) => ({
        accounts: Object.fromEntries(accountIds.flatMap((id) => (accounts.has(id) ? [[id, accounts.get(id)!]] : []))),
      }),
    });
  });
  return {
    suspended,
    members: createClient(MemberService, transport),
    ledger: createClient(ledger.LedgerService, transport),
    openAccount(ownerId: string, { currency = "EUR", closed = false } = {}): string {
      const id = newUuid();
      const state = closed ? ledger.AccountState.CLOSED : ledger.AccountState.OPEN;
      accounts.set(id, { ownerId, currency, state });
      return id;
    },
  };
}

/** Credentials of a member, and what else goes with a call. */
export function as(memberId: string, headers: Record<string, string> = {}): CallOptions {
  return { headers: { authorization: `member ${memberId}`, ...headers } };
}

export const asOperator: CallOptions = { headers: { authorization: `operator ${newUuid()}` } };

const SCOPES = ["payments:read", "payments:write", "operations:read", "operations:write"];

/** Takes "member ID" and "operator ID" at their word. */
function createTestAuthenticator(suspended: ReadonlySet<string>): Authenticator {
  return {
    authenticate(authorization = "") {
      const [kind, id = ""] = authorization.split(" ");
      if (kind !== "member" && kind !== "operator") throw new FerryError("UNAUTHENTICATED", "no credentials");
      return { kind, id, scopes: new Set(SCOPES), expiresAt: Number.MAX_SAFE_INTEGER };
    },
    isSuspended: (id) => suspended.has(id),
  };
}

/** The fields of a request, without its type name. */
type TopUpInit = Omit<MessageInitShape<typeof CreateTopUpRequestSchema>, "$typeName" | "$unknown">;

/** For tests: payment on a database, behind its real server, with a bus in memory and scripted neighbors. */
export async function startPayments({ url, parkAfterMs = 60_000 }: { url: string; parkAfterMs?: number }) {
  const database = openDatabase({ url });
  const bus = createMemoryBus();
  const outbox = createOutbox({ database, bus, source: "ferry/payment", logger });
  const directory = createDirectory();
  const others = await startOthers(bus);
  const { members, ledger: accounts, suspended } = directory;
  const config = { parkAfterMs };
  const service = createPaymentService({ database, bus, outbox, logger, config, members, ledger: accounts });
  const authenticator = createTestAuthenticator(suspended);
  const server = createRpcServer({ service: "payment", port: 0, routes: service.routes, authenticator, logger, build });
  const parts = [outbox, server, ...service.components];
  for (const part of parts) await part.start?.();
  const channel = openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "payment", logger });
  const client = createRpcClient(PaymentService, channel);

  return {
    ...{ database, bus, client, others, directory },
    operators: createRpcClient(ParkedSagaService, channel),
    /** Asks for a top-up of 12.50 and waits for its end. */
    create(memberId: string, request: TopUpInit, { key = newUuid(), traceparent = "" } = {}) {
      const whole = create(CreateTopUpRequestSchema, {
        bankAccount: { bankCode: "081", accountNumber: "1100000001" },
        amount: { currency: "EUR", minorUnits: 1_250n },
        ...request,
      });
      const trace: Record<string, string> = traceparent === "" ? {} : { traceparent };
      return client.createTopUp(whole, as(memberId, { "idempotency-key": key, prefer: "wait=10", ...trace }));
    },
    /** Waits until a top-up is in a state. */
    reached: (memberId: string, topUpId: string, state: TopUpState) =>
      until(`state ${state} of ${topUpId}`, async () => {
        const { topUp } = await client.getTopUp({ topUpId }, as(memberId));
        return topUp?.state === state ? topUp : undefined;
      }),
    /** Waits for the one event of a top-up. */
    eventOf: <S extends DescMessage>(id: string, schema: S) =>
      until(`the event of ${id}`, () => {
        const found = bus.records("ferry.payment.events.v1").filter(({ key }) => key === id);
        assert.ok(found.length <= 1);
        const [record] = found;
        if (record === undefined) return undefined;
        assert.equal(record.headers.ce_type, schema.typeName);
        return { headers: record.headers, event: fromBinary(schema, record.value!) };
      }),
    async stop() {
      channel.close();
      for (const part of parts.toReversed()) await part.stop?.();
      await bus.close();
      await database.close();
    },
  };
}
