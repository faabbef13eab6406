import type { Queryable, Transaction } from "@ferry/platform/db";
import { writeJson } from "./json.ts";
import type { Saga } from "./saga.ts";

const MAX_SHOWN = 100;

/** What an operator can decide about a parked saga. */
export type OperatorAction = "resume" | "undo" | "skip";

interface Facts {
  /** Unix time in milliseconds. */
  atMs: number;
  operatorId: string;
  action: OperatorAction;
  /** In the operator's words. */
  reason: string;
}

export interface AuditEntry extends Facts {
  before: Saga;
  after: Saga;
}

/** An entry as it is kept: the saga before and after as JSON text. */
export interface AuditRecord extends Facts {
  before: string;
  after: string;
}

export async function insertAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await tx.query(
    `INSERT INTO saga_audit (saga_id, at, operator_id, action, reason, before, after)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      ...[entry.before.id, new Date(entry.atMs), entry.operatorId, entry.action, entry.reason],
      ...[writeJson(entry.before), writeJson(entry.after)],
    ],
  );
}

/** What operators decided about a saga, latest first, 100 at most. */
export async function findAudit(queryable: Queryable, sagaId: string): Promise<AuditRecord[]> {
  const rows = await queryable.query<Omit<AuditRecord, "atMs" | "operatorId"> & { at: Date; operator_id: string }>(
    `SELECT at, operator_id, action, reason, before::text, after::text FROM saga_audit
     WHERE saga_id = $1 ORDER BY at DESC LIMIT $2`,
    [sagaId, MAX_SHOWN],
  );
  return rows.map(({ at, operator_id: operatorId, action, reason, before, after }) => ({
    ...{ atMs: at.getTime(), operatorId, action, reason, before, after },
  }));
}
