import type { Database, Transaction } from "@ferry/platform/db";
import { fromUnknown } from "@ferry/platform/errors";
import { type AttemptRules, decideAttempt, isSuccess, type Outcome } from "../domain/attempt.ts";
import type { DisableReason } from "../domain/endpoint.ts";
import type { Attempt, DeliveryState } from "./rows.ts";

/** A delivery that this process has taken to send. */
export interface Taken {
  id: string;
  endpointId: string;
  eventId: string;
  body: string;
  /** Of the attempt, counted from 1. */
  number: number;
  url: string;
  sealedSecrets: readonly Buffer[];
  failing: boolean;
}

export interface DeliverStore {
  takeDue(
    tx: Transaction,
    request: { limit: number; inFlightEach: number; withFailing: boolean; leaseMs: number },
  ): Promise<{ looked: number; taken: Taken[] }>;
  lockHealth(
    tx: Transaction,
    id: string,
  ): Promise<{ state: "ENABLED" | "DISABLED" | "DELETED"; failingForMs: number | undefined } | undefined>;
  endAttempt(
    tx: Transaction,
    end: { id: string; number: number; attempt: Attempt; state: DeliveryState; delayMs: number },
  ): Promise<string | undefined>;
  orderSubjects(tx: Transaction, subjects: readonly { endpointId: string; subject: string }[]): Promise<void>;
  writeHealth(tx: Transaction, health: { id: string; failing: boolean; pendingChange: number }): Promise<void>;
  killPending(tx: Transaction, endpointId: string): Promise<number>;
  disableEndpoint(tx: Transaction, disabled: { id: string; reason: DisableReason; killed: number }): Promise<void>;
  refreshDue(tx: Transaction, ids: readonly string[], inFlightEach: number): Promise<void>;
}

export interface DeliverDeps {
  database: Database;
  store: DeliverStore;
  /** Makes one HTTP call. Never rejects. */
  send(taken: Taken, signal: AbortSignal): Promise<Outcome & { durationMs: number }>;
  rules: AttemptRules & { inFlightEach: number };
  now(): Date;
  random(): number;
}

const WRITE_ATTEMPTS = 5;

/**
 * Sends one delivery and writes what came of it, under the endpoint's lock: the delivery's end or next attempt,
 * who waited for it, and the endpoint's health. What a process that was killed did not write is sent again by
 * another when the lease is over, with the same webhook-id.
 *
 * @throws Error when the end cannot be written.
 */
export function createDeliver({ database, store, send, rules, now, random }: DeliverDeps) {
  async function write(taken: Taken, outcome: Outcome, attempt: Attempt): Promise<void> {
    const { id, endpointId, number } = taken;
    await database.transaction(async (tx) => {
      const health = await store.lockHealth(tx, endpointId);
      if (health === undefined) return; // Deleted together with its endpoint.
      const { failingForMs } = health;
      const decision = decideAttempt({ number, outcome, failingForMs, random: random() }, rules);
      const over = health.state !== "ENABLED" && !isSuccess(outcome);
      const delivery = over ? ({ kind: "dead" } as const) : decision.delivery;
      const state = delivery.kind === "retry" ? "PENDING" : delivery.kind === "dead" ? "DEAD" : "DELIVERED";
      const delayMs = delivery.kind === "retry" ? delivery.delayMs : 0;
      const subject = await store.endAttempt(tx, { id, number, attempt, state, delayMs });
      if (subject === undefined) return;
      await store.orderSubjects(tx, [{ endpointId, subject }]);
      const { endpoint } = decision;
      const pendingChange = state === "PENDING" ? 0 : -1;
      await store.writeHealth(tx, { id: endpointId, failing: endpoint.kind !== "well", pendingChange });
      if (endpoint.kind === "disable" && health.state === "ENABLED") {
        const killed = await store.killPending(tx, endpointId);
        await store.disableEndpoint(tx, { id: endpointId, reason: endpoint.reason, killed });
      } else await store.refreshDue(tx, [endpointId], rules.inFlightEach);
    });
  }

  return async (taken: Taken, signal: AbortSignal): Promise<"sent" | "canceled"> => {
    const at = now().toISOString();
    const { durationMs, ...outcome } = await send(taken, signal);
    if (signal.aborted && !isSuccess(outcome)) return "canceled";
    const attempt = { at, durationMs, status: outcome.status, problem: outcome.problem };
    for (let tried = 1; ; tried++) {
      try {
        await write(taken, outcome, attempt);
        return "sent";
      } catch (error) {
        if (tried === WRITE_ATTEMPTS || !fromUnknown(error).retryable) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** tried));
      }
    }
  };
}
