import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  CollectPaymentRequestSchema,
  CollectPaymentResponseSchema,
  InquirePaymentRequestSchema,
  InquirePaymentResponseSchema,
  type PaymentOutcome,
  SendPaymentRequestSchema,
  SendPaymentResponseSchema,
  VerifyAccountRequestSchema,
  VerifyAccountResponseSchema,
  VoidPaymentRequestSchema,
  VoidPaymentResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { Failure } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, type MemoryBus, type ReceivedRecord, writeHeaders } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createBankingService, migrations } from "./service.ts";

export const COMMANDS = "ferry.banking.commands.v1";
export const REPLIES = "ferry.transfer.replies.v1";
/** The pauses alone of a payout that the bank fails three times come to 16 s. */
const PATIENCE_MS = 60_000;

/** For tests: what a database needs to become banking's. */
export const bankingTemplate = {
  name: "banking",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations]),
};

/** Longer than a machine stands still: else answers that came would be taken for lost. Late ones must be later. */
export const BANK_TIMEOUT_MS = 5_000;

const EXCHANGES = {
  verify: [VerifyAccountRequestSchema, VerifyAccountResponseSchema],
  send: [SendPaymentRequestSchema, SendPaymentResponseSchema],
  collect: [CollectPaymentRequestSchema, CollectPaymentResponseSchema],
  inquire: [InquirePaymentRequestSchema, InquirePaymentResponseSchema],
  void: [VoidPaymentRequestSchema, VoidPaymentResponseSchema],
} as const;

export type Kind = keyof typeof EXCHANGES;

/** Resolves with what the look-up gives, as soon as it gives something. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Facts {
  id?: string;
  sagaId?: string;
  replyTo?: string;
  expiresAt?: Date;
  traceparent?: string;
}

const euros = { currency: "EUR", minorUnits: 1_250n };
export const MEMBER = "01890000-0000-7000-8000-000000000001";

function contentOf(kind: Kind, reference: string, accountNumber: string, bankCode: string) {
  const account = { bankCode, accountNumber };
  const contents: { [K in Kind]: MessageInitShape<(typeof EXCHANGES)[K][0]> } = {
    verify: { reference, account },
    send: { reference, creditor: account, amount: euros, memo: "rent" },
    collect: { reference, debtor: account, amount: euros, memberId: MEMBER },
    inquire: { reference, bankCode },
    void: { reference, bankCode },
  };
  return contents[kind];
}

/** A command as transfer or payment would send it. */
export function commandOf(kind: Kind, reference: string, accountNumber: string, facts: Facts = {}, bankCode = "081") {
  const [schema] = EXCHANGES[kind];
  const content = contentOf(kind, reference, accountNumber, bankCode);
  const value = toBinary(schema as DescMessage, create(schema as DescMessage, content));
  const source = { source: "ferry/transfer", time: new Date(), type: schema.typeName };
  const headers = writeHeaders({ id: newUuid(), sagaStep: kind, replyTo: REPLIES, ...facts, ...source });
  return { topic: COMMANDS, key: reference, value, headers };
}

export interface Reply {
  reference: string;
  outcome?: PaymentOutcome;
  failure?: Failure;
}

export function readReply({ value, headers }: ReceivedRecord): Reply {
  const found = Object.values(EXCHANGES).find(([, { typeName }]) => typeName === headers.ce_type);
  assert.ok(found, `${headers.ce_type} is a reply`);
  return fromBinary(found[1] as DescMessage, value!) as unknown as Reply;
}

/** Waits until a saga has so many replies. */
export function repliesOf(bus: MemoryBus, sagaId: string, count = 1): Promise<ReceivedRecord[]> {
  return until(`${count} replies to ${sagaId}`, () => {
    const found = bus.records(REPLIES).filter(({ headers }) => headers.saga_id === sagaId);
    return found.length >= count ? found : undefined;
  });
}

/** For tests: banking on a database and a bank, with a bus in memory. */
export async function startBanking(options: {
  url: string;
  bankUrl: string;
  /** Default BANK_TIMEOUT_MS. */
  timeoutMs?: number;
  connections?: number;
  /** Default: one of its own. */
  bus?: MemoryBus;
}) {
  const { url, bankUrl, timeoutMs: bankTimeoutMs = BANK_TIMEOUT_MS, connections: bankConnections = 64 } = options;
  const database = openDatabase({ url, maxConnections: 4, ...PATIENT });
  const { bus = createMemoryBus() } = options;
  const outbox = createOutbox({ database, bus, source: "ferry/banking", logger });
  const config = { bankUrl, bankCode: "081", bankTimeoutMs, bankConnections };
  const service = createBankingService({ database, bus, outbox, logger, config });
  const parts = [outbox, ...service.components];
  for (const part of parts) await part.start?.();
  return {
    database,
    bus,
    routes: service.routes,
    /** Sends a command and gives its reply. */
    async ask(kind: Kind, reference: string, accountNumber = "", facts: Facts = {}, bankCode = "081"): Promise<Reply> {
      const sagaId = newUuid();
      await bus.publish([commandOf(kind, reference, accountNumber, { sagaId, ...facts }, bankCode)]);
      const [record] = await repliesOf(bus, sagaId);
      return readReply(record!);
    },
    async stop() {
      for (const part of parts.toReversed()) await part.stop?.();
      await bus.close();
      await database.close();
    },
  };
}
