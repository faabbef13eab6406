import { type ParkedSaga, ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import type { SimulatedBank } from "./bank.ts";
import type { Calls } from "./calls.ts";
import type { Chance } from "./chance.ts";
import type { Promises } from "./promises.ts";

/** Steps at which the bank moves the money: what is done about them rests on the bank's own books. */
const AT_THE_BANK = new Set(["send", "collect"]);

/** The bank's account number in what a parked saga knows. */
const accountNumberOf = ({ data }: ParkedSaga) => /"accountNumber":\s*"(\d+)"/.exec(data)?.[1] ?? "";

export interface OperatorsOptions {
  calls: Calls;
  bank: SimulatedBank;
  promises: Promises;
  chance: Chance;
}

/** People who look after what is parked. They know their trade: nothing is undone or skipped against the bank's books. */
export function createOperators({ calls, bank, promises, chance }: OperatorsOptions) {
  const caller = { kind: "operator" as const, id: "0190aaaa-0000-7000-8000-000000000001" };

  function decide(saga: ParkedSaga): "resume" | "undo" | "skip" {
    const record = bank.recorded.get(saga.id);
    if (!AT_THE_BANK.has(saga.step)) return "resume";
    if (record?.status === "done") return chance.hits(0.5) ? "skip" : "resume";
    // This account is never paid, so taking it back cannot meet a payment that is on its way.
    return accountNumberOf(saga).endsWith("9999") && chance.hits(0.5) ? "undo" : "resume";
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
