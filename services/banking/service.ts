import { every, type Service, type ServiceParts } from "@ferry/platform/lifecycle";
import { sweep } from "@ferry/platform/telemetry";
import { createAnswerExpired } from "./app/answer-expired.ts";
import { createMakeCalls } from "./app/make-calls.ts";
import { createPayOutRefunds } from "./app/pay-out-refunds.ts";
import { toReply } from "./app/replies.ts";
import { createBankingAudit } from "./audit/audit.ts";
import { createBankClient } from "./clients/bank-client.ts";
import { guardBank } from "./clients/guarded-bank.ts";
import { createBankingCommands } from "./consumers/banking-commands.ts";
import { createRefundsConsumer } from "./consumers/refunds.ts";
import { bankingRoutes } from "./rpc/banking-routes.ts";
import * as store from "./store/call-store.ts";
import * as payoutStore from "./store/payout-store.ts";

export const migrations = [store.bankingMigrations];

/** How often leases are kept, and calls are looked for that an instance that is gone left pending. */
const SWEEP_EVERY_MS = 2_000;
/** How long a stop waits for answers of the bank. */
const STOP_PATIENCE_MS = 5_000;
/** A lease outlives a call by this, for its turn in the queue and the record of its outcome. */
const LEASE_MARGIN_MS = 3_000;
/** A refund's payout belongs to whoever took it for so much longer than the bank may take: its call may have to wait for its turn. */
const PAYOUT_MARGIN_MS = 10_000;

const sweptCalls = sweep("bank-calls", "Calls to a bank without an outcome, which an instance that is gone has left.");

export type BankingParts = Pick<ServiceParts<unknown>, "database" | "bus" | "outbox" | "logger"> & {
  config: { bankUrl: string; bankCode: string; bankTimeoutMs: number; bankConnections: number };
};

/** Speaks to the banks outside, and records every word. */
export function createBankingService({ database, bus, outbox, logger, config }: BankingParts): Service {
  const { bankUrl: url, bankTimeoutMs: timeoutMs, bankConnections: connections, bankCode } = config;
  const client = createBankClient({ url, timeoutMs, connections });
  const bank = guardBank({ bank: client, bankCode, connections, logger });
  const banks = new Map([[bankCode, bank]]);
  const calls = createMakeCalls({
    database,
    outbox,
    store,
    toReply,
    banks,
    concurrency: connections,
    leaseMs: timeoutMs + LEASE_MARGIN_MS,
    made: ({ operation, traceparent }, startedAtMs, { kind }) =>
      logger.hop("bank", operation.kind, startedAtMs, { traceparent, outcome: kind }),
    failed: (error) =>
      logger.warn({ error: String(error) }, "an outcome could not be recorded; the call is made again"),
  });

  const sweeper = every({
    name: "pending-calls",
    periodMs: SWEEP_EVERY_MS,
    atStart: true,
    async work() {
      const count = await calls.sweep();
      if (count === 0) return;
      sweptCalls(count);
      logger.info({ count }, "took over pending calls");
    },
    what: "pending calls could not be read",
    logger,
  });
  const commands = createBankingCommands({
    bus,
    admit: (set) => calls.admit(set),
    answerExpired: createAnswerExpired({ database, outbox, store, toReply }),
  });
  const payouts = createPayOutRefunds({
    database,
    outbox,
    store: payoutStore,
    makeOne: (call) => calls.makeOne(call),
    leaseMs: timeoutMs + PAYOUT_MARGIN_MS,
    random: Math.random,
    delayed: ({ refundId, attempts }) => logger.warn({ refundId, attempts }, "a refund's payout is not known yet"),
    failed: (error) => logger.warn({ error: String(error) }, "a refund's payout is tried again"),
  });
  const refunds = createRefundsConsumer({ bus, admit: (set) => payouts.admit(set) });
  const routes = bankingRoutes({
    makeOne: (call) => calls.makeOne(call),
    list: (reference, limit) => store.listCalls(database, reference, limit),
  });
  // Stopped from the last to the first: no call begins any more, the consumer leaves, calls under way end.
  const outside = {
    name: "bank",
    async stop() {
      const patience = setTimeout(() => void bank.close(), STOP_PATIENCE_MS); // What is cut off is recorded as unknown.
      await calls.whenIdle();
      clearTimeout(patience);
      await bank.close();
    },
  };
  const closing = { name: "calls", stop: () => calls.close() };
  const audit = createBankingAudit({ database, outbox, logger, banks });
  return { routes, components: [outside, sweeper, commands, payouts, refunds, closing], audit };
}
