import type { Database, Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { ProgressKeeper } from "./progress.ts";
import type { Saga } from "./saga.ts";
import { findParkedSagas, insertAudit, lockSagas, type ParkedCursor } from "./store.ts";

export type OperatorAction = "resume" | "undo" | "skip";

/** Who decides, and why, for the audit log. */
export interface OperatorDecision {
  operatorId: string;
  reason: string;
}

export interface SagaOperators {
  /** Parked sagas, longest parked first. */
  listParked(queryable: Queryable, limit: number, after?: ParkedCursor): Promise<Saga[]>;
  /**
   * resume: tries the step at which the saga stopped once more, with its time anew. undo: takes back
   * what was done and ends it as failed; the operator has made sure that the step at which it stopped had
   * no effect. skip: goes on as if that step were done. Gives the saga as it is afterwards; who, when, why,
   * before and after are written to the audit log in the same transaction.
   *
   * @throws FerryError NOT_FOUND, SAGA_NOT_PARKED, SAGA_VERSION_UNKNOWN, INVALID_REQUEST to undo past the pivot.
   */
  operate(action: OperatorAction, id: string, decision: OperatorDecision): Promise<Saga>;
}

export interface SagaOperatorsOptions {
  database: Database;
  progress: ProgressKeeper;
  now(): number;
}

export function createSagaOperators({ database, progress, now }: SagaOperatorsOptions): SagaOperators {
  return {
    listParked: (queryable, limit, after) => findParkedSagas(queryable, limit, after),
    operate: (action, id, { operatorId, reason }) =>
      database.transaction(async (tx) => {
        const before = (await lockSagas(tx, [id])).get(id);
        if (before === undefined) throw new FerryError("NOT_FOUND", "there is no such saga");
        if (before.status !== "parked")
          throw new FerryError("SAGA_NOT_PARKED", `the saga is ${before.status}, not parked`);
        const decided = progress.decide(before, { kind: action });
        const [after = before] = await progress.save(tx, [decided]);
        await insertAudit(tx, { atMs: now(), operatorId, action, reason, before, after });
        return after;
      }),
  };
}
