import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type ParkedSaga, ParkedSagaService, type SagaWait } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import type { SimulatedBank } from "./bank.ts";
import type { Calls } from "./calls.ts";
import type { Chance } from "./chance.ts";
import type { Promises } from "./promises.ts";

/** Steps at which the bank moves the money: what is done about them rests on the bank's own books. */
const AT_THE_BANK = new Set(["send", "collect"]);
/** Sagas whose pivot is a settle of the ledger's. */
const MOVES = new Set(["move-money", "move-money-in-batch", "pay"]);

/** Nothing is under way to a bank for so long. */
const LONG_AFTER_MS = 60_000;

export interface OperatorsOptions {
  calls: Calls;
  bank: SimulatedBank;
  promises: Promises;
  chance: Chance;
}

/**
 * People who look after what is parked. Nothing is skipped against the bank's books; what is undone may meet its
 * own command on the way, whatever the books say now: then the platform must not lose the money.
 */
export function createOperators({ calls, bank, promises, chance }: OperatorsOptions) {
  const caller = { kind: "operator" as const, id: "0190aaaa-0000-7000-8000-000000000001" };

  /** What the void of a pivot did not find out is decided by the bank's books, long after anything was sent. */
  function decideVoided(saga: ParkedSaga, { sinceTime }: SagaWait): "resume" | "undo" | "skip" {
    if (bank.recorded.get(saga.id)?.status === "done") return chance.hits(0.5) ? "skip" : "resume";
    const sinceMs = sinceTime === undefined ? Date.now() : timestampMs(sinceTime);
    return Date.now() - sinceMs >= LONG_AFTER_MS ? "undo" : "resume";
  }

  function decide(saga: ParkedSaga, wait: SagaWait | undefined): "resume" | "undo" | "skip" {
    if (AT_THE_BANK.has(saga.step) && wait?.role === "void") return decideVoided(saga, wait);
    const record = bank.recorded.get(saga.id);
    if (MOVES.has(saga.definition)) return saga.step === "settle" && chance.hits(0.3) ? "undo" : "resume";
    if (!AT_THE_BANK.has(saga.step)) return "resume";
    if (record?.status === "done") return chance.pick(["skip", "undo", "resume"] as const);
    return chance.hits(0.5) ? "undo" : "resume";
  }

  async function lookAfter(service: "transfer" | "payment"): Promise<void> {
    const client = calls.client(ParkedSagaService, service, caller);
    try {
      const { sagas } = await client.listParkedSagas({ pageSize: 50 });
      for (const saga of sagas) {
        const detail = await client.getSaga({ sagaId: saga.id });
        const action = decide(saga, detail.saga?.waits[0]);
        const request = { sagaId: saga.id, reason: "looked after" };
        promises.count(`operator: ${action}`);
        if (action === "resume") await client.resumeSaga(request);
        else if (action === "undo") await client.undoSaga(request);
        else await client.skipSagaStep(request);
      }
    } catch (error) {
      // Somebody was quicker, or the answer was lost: the next look shows what is still to do.
      promises.count(`operator was told ${error instanceof FerryError ? error.reason : error}`);
    }
  }

  return { lookAfter };
}
