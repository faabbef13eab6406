import { type ParkedSaga, ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import type { SimulatedBank } from "./bank.ts";
import type { Calls } from "./calls.ts";
import type { Chance } from "./chance.ts";
import type { Promises } from "./promises.ts";

/** Steps at which the bank moves the money: what is done about them rests on the bank's own books. */
const AT_THE_BANK = new Set(["send", "collect"]);
/** Sagas whose pivot is a settle of the ledger's. */
const MOVES = new Set(["move-money", "move-money-in-batch", "pay"]);

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

  function decide(saga: ParkedSaga): "resume" | "undo" | "skip" {
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
        const action = decide(saga);
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
