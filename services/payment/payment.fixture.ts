import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import * as banking from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import * as ledger from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import {
  CreatePaymentRequestSchema,
  CreateRefundRequestSchema,
  CreateTopUpRequestSchema,
  PaymentService,
  type PaymentState,
  type TopUpState,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { type Database, migrate, newUuid, openDatabase, type Transaction } from "@ferry/platform/db";
import { createMemoryBus, type MemoryBus } from "@ferry/platform/events";
import { createOutbox, type Outbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { as, createTestAuthenticator } from "../../test/support/credentials.ts";
import { createDirectory, type Exchanges, type ScriptOf, startNeighbors } from "../../test/support/neighbors.ts";
import { bePatient, PATIENT } from "../../test/support/patient.ts";
import { until } from "../../test/support/until.ts";
import { createAnnounceAgain } from "./app/announce-again.ts";
import { createPaymentService, migrations, type PaymentParts } from "./service.ts";
import * as paymentStore from "./store/payment-store.ts";
import * as refundStore from "./store/refund-store.ts";

bePatient(PaymentService, ParkedSagaService);

/** For tests: what a database needs to become payment's. */
export const paymentTemplate = {
  name: "payment",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations]),
};

const build = { service: "payment", version: "0", commit: "none", buildTime: "none" };
const SCOPES = ["payments:read", "payments:write"];

export type Part = "collect" | "inquire" | "void" | "credit" | "hold" | "release" | "settle";
/** What each command is answered: see neighbors.ts. */
export type Script = ScriptOf<Part>;

const PARTS: Exchanges<Part> = {
  collect: [banking.CollectPaymentRequestSchema, banking.CollectPaymentResponseSchema],
  inquire: [banking.InquirePaymentRequestSchema, banking.InquirePaymentResponseSchema],
  void: [banking.VoidPaymentRequestSchema, banking.VoidPaymentResponseSchema],
  credit: [ledger.CreditAccountRequestSchema, ledger.CreditAccountResponseSchema],
  hold: [ledger.PlaceHoldRequestSchema, ledger.PlaceHoldResponseSchema],
  release: [ledger.ReleaseHoldRequestSchema, ledger.ReleaseHoldResponseSchema],
  settle: [ledger.SettleHoldRequestSchema, ledger.SettleHoldResponseSchema],
};

/** The fields of a request, without its type name. */
type Init<Schema extends DescMessage> = Omit<MessageInitShape<Schema>, "$typeName" | "$unknown">;
/** How a request is asked: with a key of its own unless one is given, and waited for. */
interface Asked {
  key?: string;
  traceparent?: string;
  waitSeconds?: number;
}

function headersOf({ key = newUuid(), traceparent = "", waitSeconds = 20 }: Asked): Record<string, string> {
  const trace: Record<string, string> = traceparent === "" ? {} : { traceparent };
  const wait: Record<string, string> = waitSeconds === 0 ? {} : { prefer: `wait=${waitSeconds}` };
  return { "idempotency-key": key, ...wait, ...trace };
}

const euros = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });

interface Surroundings {
  url: string;
  parkAfterMs?: number;
  bus: MemoryBus;
  members: PaymentParts["members"];
  ledger: PaymentParts["ledger"];
  suspended?: ReadonlySet<string>;
}

/** For tests: payment on a database, behind its real server, with a bus in memory and scripted neighbors. */
export async function startPayments({ url, parkAfterMs }: { url: string; parkAfterMs?: number }) {
  const bus = createMemoryBus();
  const directory = createDirectory();
  const others = await startNeighbors(bus, PARTS);
  return { ...(await startPaymentsAmong({ ...directory, url, parkAfterMs, bus })), directory, others };
}

/** For tests: payment on a database, behind its real server, on a bus that others are on. */
export async function startPaymentsAmong(surroundings: Surroundings) {
  const { url, parkAfterMs = 60_000, bus, members, ledger: accounts, suspended = new Set() } = surroundings;
  const database = openDatabase({ url, ...PATIENT });
  const outbox = createOutbox({ database, bus, source: "ferry/payment", logger });
  const config = { parkAfterMs };
  const service = createPaymentService({ database, bus, outbox, logger, config, members, ledger: accounts });
  const authenticator = createTestAuthenticator(SCOPES, suspended);
  const server = createRpcServer({ service: "payment", port: 0, routes: service.routes, authenticator, logger, build });
  const parts = [outbox, server, ...service.components];
  for (const part of parts) await part.start?.();
  const channel = openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "payment", logger, ...PATIENT });
  const client = createRpcClient(PaymentService, channel);

  return {
    ...{ database, bus, outbox, client },
    operators: createRpcClient(ParkedSagaService, channel),
    /** Asks for a top-up of 12.50. */
    create(memberId: string, request: Init<typeof CreateTopUpRequestSchema>, asked: Asked = {}) {
      const whole = create(CreateTopUpRequestSchema, {
        bankAccount: { bankCode: "081", accountNumber: "1100000001" },
        amount: euros(1_250n),
        ...request,
      });
      return client.createTopUp(whole, as(memberId, headersOf(asked)));
    },
    /** Asks for a payment of 10.00. */
    pay(memberId: string, request: Init<typeof CreatePaymentRequestSchema>, asked: Asked = {}) {
      const whole = create(CreatePaymentRequestSchema, { amount: euros(1_000n), memo: "coffee", ...request });
      return client.createPayment(whole, as(memberId, headersOf(asked)));
    },
    /** Asks for a refund of 4.00; does not wait unless told to. */
    refund(memberId: string, request: Init<typeof CreateRefundRequestSchema>, asked: Asked = {}) {
      const whole = create(CreateRefundRequestSchema, { amount: euros(400n), memo: "sorry", ...request });
      return client.createRefund(whole, as(memberId, headersOf({ waitSeconds: 0, ...asked })));
    },
    /** Waits until a payment is in a state. */
    paid: (memberId: string, paymentId: string, state: PaymentState) =>
      until(`state ${state} of ${paymentId}`, async () => {
        const { payment } = await client.getPayment({ paymentId }, as(memberId));
        return payment?.state === state ? payment : undefined;
      }),
    /** Waits until a top-up is in a state. */
    reached: (memberId: string, topUpId: string, state: TopUpState) =>
      until(`state ${state} of ${topUpId}`, async () => {
        const { topUp } = await client.getTopUp({ topUpId }, as(memberId));
        return topUp?.state === state ? topUp : undefined;
      }),
    /** Waits for the one event of a top-up or a payment. */
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

/**
 * Ages a refund's last announcement by so many minutes and has those announced again that are due, at one moment: the
 * service looks by itself every 30 s, and must not be the one to find it.
 *
 * @returns how many were announced.
 */
export function announceAgainAfter(
  { database, outbox }: { database: Database; outbox: Outbox },
  refundId: string,
  minutes: number,
): Promise<number> {
  const transaction = <T>(run: (tx: Transaction, count: number) => Promise<T>) =>
    database.transaction(async (tx, count) => {
      const age = "UPDATE refund SET announced_at = now() - make_interval(mins => $2) WHERE id = $1";
      await tx.query(age, [refundId, minutes]);
      return run(tx, count);
    });
  const store = { ...paymentStore, ...refundStore };
  return createAnnounceAgain({ database: { ...database, transaction }, outbox, store })();
}
