import type { Database, Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type AuditRecord, findAudit, insertAudit, type OperatorAction } from "./audit.ts";
import type { SagaDefinition } from "./definition.ts";
import type { ProgressKeeper } from "./progress.ts";
import type { Registry } from "./registry.ts";
import type { Saga } from "./saga.ts";
import { findChildren, findParkedSagas, findSagas, lockSagas, type ParkedCursor } from "./store.ts";

export type { OperatorAction };

/** Who decides, and why, for the audit log. */
export interface OperatorDecision {
  operatorId: string;
  reason: string;
}

/** One saga, with everything needed to decide about it. */
export interface SagaInsight {
  saga: Saga;
  /** Absent where this server does not know its version. */
  definition: SagaDefinition<unknown> | undefined;
  /** The sagas that it has begun. */
  children: readonly Saga[];
  /** What operators decided, latest first, 100 at most. */
  audit: readonly AuditRecord[];
  /** What an operator may do now. */
  actions: readonly OperatorAction[];
}

export interface SagaOperators {
  /** Parked sagas, longest parked first. */
  listParked(queryable: Queryable, limit: number, after?: ParkedCursor): Promise<Saga[]>;
  /** One saga, parked or not. @throws FerryError NOT_FOUND. */
  look(queryable: Queryable, id: string): Promise<SagaInsight>;
  /**
   * resume: tries the step at which the saga stopped once more, with its time anew. undo: takes back
   * what was done and ends it as failed; a pivot is voided first, and the saga goes on when that is too late. skip: goes on as if that step were done; before the pivot only where nobody else can find out
   * whether it is (see `by-operator.ts`). Of several steps side by side, resume and undo take all that
   * stopped, and skip the one that is shown. Gives the saga as it is afterwards; who, when, why, before and
   * after are written to the audit log in the same transaction.
   *
   * @throws FerryError NOT_FOUND, SAGA_NOT_PARKED, SAGA_VERSION_UNKNOWN, INVALID_REQUEST to undo past the pivot
   * or to skip before it, STEP_OUTCOME_UNKNOWN to undo a pivot that cannot be voided.
   */
  operate(action: OperatorAction, id: string, decision: OperatorDecision): Promise<Saga>;
}

export interface SagaOperatorsOptions {
  database: Database;
  registry: Registry;
  progress: ProgressKeeper;
  now(): number;
}

const ACTIONS: readonly OperatorAction[] = ["resume", "undo", "skip"];

export function createSagaOperators({ database, registry, progress, now }: SagaOperatorsOptions): SagaOperators {
  /** What is not refused, tried without writing anything. */
  function mayBeDone(saga: Saga, action: OperatorAction): boolean {
    try {
      progress.decide(saga, { kind: action });
      return true;
    } catch {
      return false;
    }
  }

  return {
    listParked: (queryable, limit, after) => findParkedSagas(queryable, limit, after),
    async look(queryable, id) {
      const saga = (await findSagas(queryable, [id])).get(id);
      if (saga === undefined) throw new FerryError("NOT_FOUND", `there is no saga ${id}`);
      const [children, audit] = await Promise.all([findChildren(queryable, id), findAudit(queryable, id)]);
      const actions = saga.status === "parked" ? ACTIONS.filter((action) => mayBeDone(saga, action)) : [];
      return { saga, definition: registry.find(saga.definition, saga.version), children, audit, actions };
    },
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
