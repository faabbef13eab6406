import type { Component, Service, ServiceParts } from "@ferry/platform/lifecycle";
import { createMakeCalls } from "./app/make-calls.ts";
import { toReply } from "./app/replies.ts";
import { createBankClient } from "./clients/bank-client.ts";
import { createBankingCommands } from "./consumers/banking-commands.ts";
import { bankingRoutes } from "./rpc/banking-routes.ts";
import * as store from "./store/call-store.ts";

export const migrations = [store.bankingMigrations];

/** How often calls are looked for that an instance that is gone left pending. */
const TAKE_OVER_EVERY_MS = 2_000;
/** A lease outlives a call by this, for its turn in the queue and the record of its outcome. */
const LEASE_MARGIN_MS = 3_000;

export type BankingParts = Pick<ServiceParts<unknown>, "database" | "bus" | "outbox" | "logger"> & {
  config: { bankUrl: string; bankCode: string; bankTimeoutMs: number; bankConnections: number };
};

/** Speaks to the banks outside, and records every word. */
export function createBankingService({ database, bus, outbox, logger, config }: BankingParts): Service {
  const { bankUrl: url, bankTimeoutMs: timeoutMs, bankConnections: connections, bankCode } = config;
  const bank = createBankClient({ url, timeoutMs, connections });
  const calls = createMakeCalls({
    database,
    outbox,
    store,
    toReply,
    banks: new Map([[bankCode, bank]]),
    concurrency: connections,
    leaseMs: timeoutMs + LEASE_MARGIN_MS,
    made: ({ operation, traceparent }, startedAtMs, { kind }) =>
      logger.hop("bank", operation.kind, startedAtMs, { traceparent, outcome: kind }),
    failed: (error) =>
      logger.warn({ error: String(error) }, "an outcome could not be recorded; the call is made again"),
  });

  let timer: NodeJS.Timeout | undefined;
  const sweeper: Component = {
    name: "pending-calls",
    async start() {
      timer = setInterval(() => {
        calls.takeOver().then(
          (count) => count > 0 && logger.info({ count }, "took over pending calls"),
          (error) => logger.warn({ error: String(error) }, "pending calls could not be read"),
        );
      }, TAKE_OVER_EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      await calls.stop();
      await bank.close();
    },
  };
  const commands = createBankingCommands({ bus, database, outbox, admit: (set) => calls.admit(set) });
  const routes = bankingRoutes({
    makeOne: (call) => calls.makeOne(call),
    list: (reference, limit) => store.listCalls(database, reference, limit),
  });
  return { routes, components: [sweeper, commands] };
}
