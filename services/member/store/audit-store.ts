import { newUuid, type Queryable } from "@ferry/platform/db";
import { AUDIT_KINDS, type AuditEntry, type AuditFact, type AuditKind } from "../domain/audit.ts";

interface Row {
  id: string;
  kind: string;
  recorded_at: Date;
  member_id: string | null;
  actor_id: string | null;
  session_id: string | null;
  api_client_id: string | null;
  address: string;
  user_agent: string;
  outcome: string;
  reason: string;
}

export interface AuditPage {
  memberId: string | undefined;
  kind: AuditKind | undefined;
  /** Entries older than this one. */
  before: string | undefined;
  limit: number;
}

const PURGE_CHUNK_ROWS = 5_000;

const isKind = (text: string): text is AuditKind => (AUDIT_KINDS as readonly string[]).includes(text);

function entryOf(row: Row): AuditEntry {
  if (!isKind(row.kind)) throw new Error(`audit_log has an entry of the unknown kind ${row.kind}`);
  return {
    id: row.id,
    kind: row.kind,
    time: row.recorded_at,
    memberId: row.member_id ?? undefined,
    actorId: row.actor_id ?? undefined,
    sessionId: row.session_id ?? undefined,
    apiClientId: row.api_client_id ?? undefined,
    origin: { address: row.address, userAgent: row.user_agent },
    outcome: row.outcome,
    reason: row.reason,
  };
}

/** The audit log. The database itself refuses to change what is in it. */
export const auditStore = {
  async record(db: Queryable, { by, origin, ...fact }: AuditFact): Promise<void> {
    await db.query(
      `INSERT INTO audit_log (id, kind, recorded_at, member_id, actor_id, session_id, api_client_id,
         address, user_agent, outcome, reason)
       SELECT $1, $2, $3, $4::uuid, $5::uuid, $6::uuid, $7::uuid,
         coalesce($8, s.address, ''), coalesce($9, s.user_agent, ''), $10, $11
       FROM (SELECT 1) AS one LEFT JOIN session s ON s.id = $12`,
      [
        newUuid(),
        fact.kind,
        new Date(),
        fact.memberId ?? null,
        by?.memberId ?? null,
        fact.sessionId ?? by?.sessionId ?? null,
        fact.apiClientId ?? by?.clientId ?? null,
        origin?.address ?? null,
        origin?.userAgent ?? null,
        fact.outcome ?? "OK",
        fact.reason ?? "",
        by?.sessionId ?? null,
      ],
    );
  },

  /** Newest first. */
  async list(db: Queryable, { memberId, kind, before, limit }: AuditPage): Promise<AuditEntry[]> {
    const conditions = [
      ...(memberId === undefined ? [] : [["member_id = $::uuid", memberId]]),
      ...(kind === undefined ? [] : [["kind = $", kind]]),
      ...(before === undefined ? [] : [["id < $::uuid", before]]),
    ].map(([text, value], index) => ({ text: text!.replace("$", () => `$${index + 2}`), value }));
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.map(({ text }) => text).join(" AND ")}`;
    const rows = await db.query<Row>(`SELECT * FROM audit_log ${where} ORDER BY id DESC LIMIT $1`, [
      limit,
      ...conditions.map(({ value }) => value),
    ]);
    return rows.map(entryOf);
  },

  /** Forgets what is old, a chunk at a time. @returns How many entries went. */
  async purge(db: Queryable, recordedBefore: Date): Promise<number> {
    const rows = await db.query(
      `DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE recorded_at < $1 LIMIT $2) RETURNING 1`,
      [recordedBefore, PURGE_CHUNK_ROWS],
    );
    return rows.length;
  },
};
