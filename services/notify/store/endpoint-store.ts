import { join } from "node:path";
import type { Migrations, Queryable, Transaction } from "@ferry/platform/db";
import type { EndpointRow } from "../app/rows.ts";
import type { DisableReason, EndpointRequest, EndpointState } from "../domain/endpoint.ts";

export const notifyMigrations: Migrations = { name: "notify", directory: join(import.meta.dirname, "migrations") };

interface Row {
  id: string;
  member_id: string;
  url: string;
  event_types: string[];
  description: string;
  state: EndpointState;
  disable_reason: DisableReason | null;
  disabled_at: Date | null;
  failing_since: Date | null;
  previous_secret_until: Date | null;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = `id, member_id, url, event_types, description, state, disable_reason, disabled_at, failing_since,
  CASE WHEN previous_secret_until > now() THEN previous_secret_until END AS previous_secret_until, created_at, updated_at`;

function fromRow(row: Row): EndpointRow {
  return {
    id: row.id,
    memberId: row.member_id,
    url: row.url,
    eventTypes: row.event_types,
    description: row.description,
    state: row.state,
    disableReason: row.disable_reason ?? undefined,
    disabledAt: row.disabled_at ?? undefined,
    failingSince: row.failing_since ?? undefined,
    previousSecretUntil: row.previous_secret_until ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Counts a member's endpoints, and keeps others from adding one until the transaction is over. */
export async function lockEndpointCount(tx: Transaction, memberId: string): Promise<number> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", [memberId]);
  const [row] = await tx.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM webhook_endpoint WHERE member_id = $1 AND state <> 'DELETED'",
    [memberId],
  );
  return row!.count;
}

export interface NewEndpoint extends EndpointRequest {
  id: string;
  memberId: string;
  sealedSecret: Buffer;
}

export async function insertEndpoint(tx: Transaction, endpoint: NewEndpoint): Promise<EndpointRow> {
  const rows = await tx.query<Row>(
    `INSERT INTO webhook_endpoint (id, member_id, url, event_types, description, secret)
     VALUES ($1, $2, $3, $4::text[], $5, $6) RETURNING ${COLUMNS}`,
    [
      endpoint.id,
      endpoint.memberId,
      endpoint.url,
      [...endpoint.eventTypes],
      endpoint.description,
      endpoint.sealedSecret,
    ],
  );
  return fromRow(rows[0]!);
}

export async function findEndpoint(from: Queryable, memberId: string, id: string): Promise<EndpointRow | undefined> {
  const rows = await from.query<Row>(
    `SELECT ${COLUMNS} FROM webhook_endpoint WHERE id = $1 AND member_id = $2 AND state <> 'DELETED'`,
    [id, memberId],
  );
  return rows[0] && fromRow(rows[0]);
}

/** All of a member's, oldest first. */
export async function listEndpoints(from: Queryable, memberId: string): Promise<EndpointRow[]> {
  const rows = await from.query<Row>(
    `SELECT ${COLUMNS} FROM webhook_endpoint WHERE member_id = $1 AND state <> 'DELETED' ORDER BY created_at, id`,
    [memberId],
  );
  return rows.map(fromRow);
}

/** Gives an endpoint a new secret; the one it had signs too for a time. */
export async function replaceSecret(
  from: Queryable,
  { memberId, id, sealedSecret, previousForMs }: RotatedSecret,
): Promise<EndpointRow | undefined> {
  const rows = await from.query<Row>(
    `UPDATE webhook_endpoint SET secret = $3, previous_secret = secret,
       previous_secret_until = now() + make_interval(secs => $4::float8 / 1000), updated_at = now()
     WHERE id = $1 AND member_id = $2 AND state <> 'DELETED' RETURNING ${COLUMNS}`,
    [id, memberId, sealedSecret, previousForMs],
  );
  return rows[0] && fromRow(rows[0]);
}

export interface RotatedSecret {
  memberId: string;
  id: string;
  sealedSecret: Buffer;
  /** In milliseconds. */
  previousForMs: number;
}

/** Hides an endpoint; its deliveries are deleted later, in chunks. @returns false when there is none. */
export async function deleteEndpoint(from: Queryable, memberId: string, id: string): Promise<boolean> {
  const rows = await from.query(
    `UPDATE webhook_endpoint SET state = 'DELETED', due_at = NULL, updated_at = now()
     WHERE id = $1 AND member_id = $2 AND state <> 'DELETED' RETURNING id`,
    [id, memberId],
  );
  return rows.length > 0;
}

/** Enables a disabled endpoint. What was cut off while it was sent is due again. */
export async function enableEndpoint(from: Queryable, memberId: string, id: string): Promise<EndpointRow | undefined> {
  const rows = await from.query<Row>(
    `UPDATE webhook_endpoint SET state = 'ENABLED', disable_reason = NULL, disabled_at = NULL, failing_since = NULL,
       due_at = now(), updated_at = now()
     WHERE id = $1 AND member_id = $2 AND state = 'DISABLED' RETURNING ${COLUMNS}`,
    [id, memberId],
  );
  return rows[0] && fromRow(rows[0]);
}

/** What an event's fan-out needs to know of an endpoint. */
export interface Subscriber {
  id: string;
  memberId: string;
  eventTypes: string[];
  pendingCount: number;
}

/** Which of the members have an endpoint that is enabled. */
export async function findSubscribed(from: Queryable, memberIds: readonly string[]): Promise<Set<string>> {
  const rows = await from.query<{ member_id: string }>(
    "SELECT DISTINCT member_id FROM webhook_endpoint WHERE member_id = ANY($1::uuid[]) AND state = 'ENABLED'",
    [memberIds],
  );
  return new Set(rows.map(({ member_id }) => member_id));
}

/** The enabled endpoints of some members, locked in the order of their ids. */
export async function lockSubscribers(tx: Transaction, memberIds: readonly string[]): Promise<Subscriber[]> {
  const rows = await tx.query<{ id: string; member_id: string; event_types: string[]; pending_count: number }>(
    `SELECT id, member_id, event_types, pending_count FROM webhook_endpoint
     WHERE member_id = ANY($1::uuid[]) AND state = 'ENABLED' ORDER BY id FOR NO KEY UPDATE`,
    [memberIds],
  );
  return rows.map((row) => ({
    id: row.id,
    memberId: row.member_id,
    eventTypes: row.event_types,
    pendingCount: row.pending_count,
  }));
}

/** What a member's endpoint allows just now. */
export interface LockedEndpoint {
  state: EndpointState;
  pendingCount: number;
}

/** One endpoint of a member, locked. */
export async function lockEndpoint(tx: Transaction, memberId: string, id: string): Promise<LockedEndpoint | undefined> {
  const rows = await tx.query<{ state: EndpointState; pending_count: number }>(
    `SELECT state, pending_count FROM webhook_endpoint
     WHERE id = $1 AND member_id = $2 AND state <> 'DELETED' FOR NO KEY UPDATE`,
    [id, memberId],
  );
  return rows[0] && { state: rows[0].state, pendingCount: rows[0].pending_count };
}
