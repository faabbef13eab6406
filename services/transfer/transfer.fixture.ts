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
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import {
  CreateTransferRequestSchema,
  TransferService,
  type TransferState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Authenticator } from "@ferry/platform/auth";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { consume, createMemoryBus, type Envelope, type MemoryBus, writeHeaders } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger, newTraceparent } from "@ferry/platform/telemetry";
import { createTransferService, migrations } from "./service.ts";

/** For tests: what a database needs to become transfer's. */
export const transferTemplate = {
  name: "transfer",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations]),
};

const build = { service: "transfer", version: "0", commit: "none", buildTime: "none" };
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

/** "done", "silent" (no answer), "unknown" and "not-found" (of the bank), or the reason of a refusal. */
export type Said = string;
export type Part = "verify" | "hold" | "release" | "settle" | "send" | "inquire";
/** What each command is answered, one after another; the last again and again. Default "done". */
export type Script = Partial<Record<Part, Said[]>>;

const PARTS: Record<Part, [request: DescMessage, reply: DescMessage]> = {
  verify: [banking.VerifyAccountRequestSchema, banking.VerifyAccountResponseSchema],
  send: [banking.SendPaymentRequestSchema, banking.SendPaymentResponseSchema],
  inquire: [banking.InquirePaymentRequestSchema, banking.InquirePaymentResponseSchema],
  hold: [ledger.PlaceHoldRequestSchema, ledger.PlaceHoldResponseSchema],
  release: [ledger.ReleaseHoldRequestSchema, ledger.ReleaseHoldResponseSchema],
  settle: [ledger.SettleHoldRequestSchema, ledger.SettleHoldResponseSchema],
};

const { DONE, REFUSED, UNKNOWN, NOT_FOUND } = banking.PaymentOutcome;
const OUTCOMES: Record<string, banking.PaymentOutcome> = { done: DONE, unknown: UNKNOWN, "not-found": NOT_FOUND };
const CODES: Record<string, string> = { unknown: "BANK_OUTCOME_UNKNOWN", "not-found": "BANK_REFERENCE_UNKNOWN" };

function replyOf(part: Part, said: Said): Message {
  const code = CODES[said] ?? said;
  const failure = said === "done" ? undefined : { code, message: `because ${code}` };
  const isPayment = part === "send" || part === "inquire";
  const outcome = isPayment ? { outcome: OUTCOMES[said] ?? REFUSED } : {};
  return create(PARTS[part][1], { failure, ...outcome } as MessageInitShape<DescMessage>);
}

/** For tests: ledger and banking, as far as they answer commands, by a script that a test can change. */
async function startOthers(bus: MemoryBus) {
  const schemas = Object.values(PARTS).map(([request]) => request);
  const received: { part: Part; envelope: Envelope<Message> }[] = [];
  const counts = new Map<string, number>();
  let script: Script = {};

  function partOf(typeName: string): Part {
    return (Object.keys(PARTS) as Part[]).find((part) => PARTS[part][0].typeName === typeName)!;
  }

  async function answer(part: Part, { id, sagaId, sagaStep, replyTo, traceparent }: Envelope<Message>, said: Said) {
    const schema = PARTS[part][1];
    const facts = { id: `${id}:${said}`, sagaId, sagaStep, traceparent, source: "ferry/others", time: new Date() };
    const headers = writeHeaders({ ...facts, type: schema.typeName });
    await bus.publish([{ topic: replyTo!, key: sagaId!, value: toBinary(schema, replyOf(part, said)), headers }]);
  }

  await bus.ensureTopics(TOPICS.map((name) => ({ name })));
  await consume(bus, {
    group: "others",
    topics: TOPICS,
    schemas,
    async handle(set) {
      for (const envelope of set) {
        const part = partOf(envelope.type);
        received.push({ part, envelope });
        const key = `${part} ${envelope.sagaId}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        const lines = script[part] ?? ["done"];
        const said = lines[Math.min(count, lines.length) - 1]!;
        if (said !== "silent") await answer(part, envelope, said);
      }
    },
  });

  const of = (id: string) => received.filter(({ envelope }) => envelope.sagaId === id);
  return {
    /** From now on. */
    play(next: Script) {
      script = next;
      counts.clear();
    },
    /** The commands for a transfer, in order. */
    commandsFor: (id: string) => of(id).map(({ part }) => part),
    envelopesFor: (id: string) => of(id).map(({ envelope }) => envelope),
    /** Waits for a command and answers it by hand. */
    async answer(id: string, part: Part, said: Said) {
      const found = await until(`${part} of ${id}`, () => of(id).find((each) => each.part === part));
      await answer(part, found.envelope, said);
    },
    received: (id: string, part: Part) => until(`${part} of ${id}`, () => of(id).find((each) => each.part === part)),
  };
}

/** For tests: what member and ledger say to those who ask by rpc. */
function createDirectory() {
  const suspended = new Set<string>();
  const accounts = new Map<string, { ownerId: string; currency: string; state: ledger.AccountState }>();
  const transport = createRouterTransport(({ service }) => {
    service(MemberService, {
      batchGetMemberStates: ({ memberIds }) => ({
        states: Object.fromEntries(
          memberIds.map((id) => [id, suspended.has(id) ? MemberState.SUSPENDED : MemberState.ACTIVE]),
        ),
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

const SCOPES = ["transfers:read", "transfers:write", "operations:read", "operations:write"];

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
type TransferInit = Omit<MessageInitShape<typeof CreateTransferRequestSchema>, "$typeName" | "$unknown">;

/** For tests: transfer on a database, behind its real server, with a bus in memory and scripted neighbors. */
export async function startTransfers({ url, parkAfterMs = 60_000 }: { url: string; parkAfterMs?: number }) {
  const database = openDatabase({ url });
  const bus = createMemoryBus();
  const outbox = createOutbox({ database, bus, source: "ferry/transfer", logger });
  const directory = createDirectory();
  const others = await startOthers(bus);
  const { members, ledger: accounts } = directory;
  const service = createTransferService({
    database,
    bus,
    outbox,
    logger,
    config: { parkAfterMs },
    members,
    ledger: accounts,
  });
  const authenticator = createTestAuthenticator(directory.suspended);
  const server = createRpcServer({
    ...{ service: "transfer", port: 0, routes: service.routes, authenticator, logger, build },
  });
  const parts = [outbox, server, ...service.components];
  for (const part of parts) await part.start?.();
  const channel = openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "transfer", logger });
  const client = createRpcClient(TransferService, channel);

  return {
    ...{ database, bus, client, others, directory },
    operators: createRpcClient(ParkedSagaService, channel),
    /** Asks for a transfer of 12.50 to a bank, with a key and a wait of its own unless they are given. */
    create(
      memberId: string,
      request: TransferInit,
      { key = newUuid(), waitSeconds = 10, traceparent = newTraceparent() } = {},
    ) {
      const bankAccount = { bankCode: "081", accountNumber: "20000001" };
      const whole = create(CreateTransferRequestSchema, {
        destination: { kind: { case: "bankAccount", value: bankAccount } },
        amount: { currency: "EUR", minorUnits: 1_250n },
        ...request,
      });
      const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {};
      return client.createTransfer(whole, as(memberId, { "idempotency-key": key, traceparent, ...prefer }));
    },
    /** Waits until a transfer is in a state. */
    reached: (memberId: string, transferId: string, state: TransferState) =>
      until(`state ${state} of ${transferId}`, async () => {
        const { transfer } = await client.getTransfer({ transferId }, as(memberId));
        return transfer?.state === state ? transfer : undefined;
      }),
    /** The events of a transfer, decoded by their own type. */
    eventsOf: <S extends DescMessage>(id: string, schema: S) =>
      bus
        .records("ferry.transfer.events.v1")
        .filter(({ key }) => key === id)
        .map(({ headers, value }) => {
          assert.equal(headers.ce_type, schema.typeName);
          return { headers, event: fromBinary(schema, value!) };
        }),
    async stop() {
      channel.close();
      for (const part of parts.toReversed()) await part.stop?.();
      await bus.close();
      await database.close();
    },
  };
}
