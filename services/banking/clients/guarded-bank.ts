import type { Logger } from "@ferry/platform/telemetry";
import { type BreakerOptions, createUpstream, UpstreamIll } from "@ferry/platform/upstream";
import type { BankResponse } from "../domain/call.ts";
import type { BankClient } from "./bank-client.ts";

export interface GuardedBankOptions {
  bank: BankClient;
  /** As "081". */
  bankCode: string;
  /** Calls of the queue under way at once. */
  connections: number;
  breaker?: BreakerOptions;
  logger: Logger;
}

/** The auditor asks beside the queue, one question at a time: it must not take the room of a payment that the queue has begun. */
const BESIDE_THE_QUEUE = 1;

/** Whether the bank itself is ill: it was not there, did not answer, or said that it fails. A refusal is an answer. */
function isIll(response: unknown): boolean {
  const { kind, status } = response as { kind: BankResponse["kind"]; status?: number };
  return kind !== "answered" || (status !== undefined && status >= 500);
}

/**
 * A bank behind a breaker: while nearly all calls to it fail it is left alone, and calls are answered as to a
 * bank that cannot be reached. Nothing was sent then; the sagas ask again by their own pauses, as ever.
 */
export function guardBank({ bank, bankCode, connections, breaker, logger }: GuardedBankOptions): BankClient {
  const upstream = createUpstream({
    name: `bank-${bankCode}`,
    isIllError: () => false,
    isIllAnswer: isIll,
    maxInFlight: connections + BESIDE_THE_QUEUE,
    breaker,
    logger,
  });
  return {
    async call(reference, operation) {
      try {
        return await upstream.run(() => bank.call(reference, operation));
      } catch (error) {
        if (error instanceof UpstreamIll) return { kind: "unreachable", detail: "the breaker is open" };
        throw error;
      }
    },
    async close() {
      upstream.close();
      await bank.close();
    },
  };
}
