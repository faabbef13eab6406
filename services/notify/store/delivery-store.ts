import type { Queryable, Transaction } from "@ferry/platform/db";
import type { Attempt, DeliveryRow, DeliveryState, NewDelivery } from "../app/rows.ts";

interface Row {
  id: string;
  seq: bigint;
  endpoint_id: string;
  event_id: string;
  event_type: string;
  subject: string;
  body: string;
  state: DeliveryState;
  attempt_count: number;
  attempts: Attempt[];
  next_attempt_at: Date | null;
  created_at: Date;
  ended_at: Date | null;
}

/** How many of the latest attempts are kept. */
const KEPT_ATTEMPTS = 20;

const COLUMNS = `d.id, d.seq, d.endpoint_id, d.event_id, d.event_type, d.subject, d.body, d.state, d.attempt_count,
  d.attempts, d.created_at, d.ended_at,
  CASE WHEN d.state = 'PENDING' AND NOT d.sending AND isfinite(d.due_at) THEN d.due_at END AS next_attempt_at`;

function fromRow(row: Row): DeliveryRow {
  return {
    id: row.id,
    seq: row.seq,
    endpointId: row.endpoint_id,
    eventId: row.event_id,
    eventType: row.event_type,
    subject: row.subject,
    body: row.body,
    state: row.state,
    attemptCount: row.attempt_count,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at ?? undefined,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
  };
}

/** Records deliveries; those that are recorded already are left out. @returns those that were added. */
export async function insertDeliveries(tx: Transaction, deliveries: readonly NewDelivery[]): Promise<Subject[]> {
  const column = (pick: (delivery: NewDelivery) => string | bigint) => deliveries.map(pick);
  const rows = await tx.query<{ endpoint_id: string; subject: string }>(
    `INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, subject, version, body)
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[])
     ON CONFLICT (id) DO NOTHING RETURNING endpoint_id, subject`,
    [
      column(({ id }) => id),
      column(({ endpointId }) => endpointId),
      column(({ eventId }) => eventId),
      column(({ eventType }) => eventType),
      column(({ subject }) => subject),
      column(({ version }) => version),
      column(({ body }) => body),
    ],
  );
  return rows.map(({ endpoint_id, subject }) => ({ endpointId: endpoint_id, subject }));
}

/** What an endpoint is told of something: one queue, in the order of versions. */
export interface Subject {
  endpointId: string;
  subject: string;
}

/**
 * Puts the queues of subjects right: the first of each is due, the others wait for it. What is being sent
 * is left as it is. Only under the locks of the endpoints.
 */
export async function orderSubjects(tx: Transaction, subjects: readonly Subject[]): Promise<void> {
  await tx.query(
    `UPDATE webhook_delivery d SET due_at = CASE WHEN o.is_first THEN now() ELSE 'infinity' END
     FROM (
       SELECT p.id, p.sending, p.due_at,
         row_number() OVER (PARTITION BY p.endpoint_id, p.subject ORDER BY p.version, p.seq) = 1 AS is_first
       FROM webhook_delivery p
       JOIN (SELECT DISTINCT * FROM unnest($1::uuid[], $2::text[])) AS s (endpoint_id, subject)
         ON p.endpoint_id = s.endpoint_id AND p.subject = s.subject
       WHERE p.state = 'PENDING'
     ) o
     WHERE d.id = o.id AND NOT o.sending AND o.is_first = (o.due_at = 'infinity')`,
    [subjects.map(({ endpointId }) => endpointId), subjects.map(({ subject }) => subject)],
  );
}

export async function findDelivery(from: Queryable, memberId: string, id: string): Promise<DeliveryRow | undefined> {
  const rows = await from.query<Row>(
    `SELECT ${COLUMNS} FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
     WHERE d.id = $1 AND e.member_id = $2 AND e.state <> 'DELETED'`,
    [id, memberId],
  );
  return rows[0] && fromRow(rows[0]);
}

export interface DeliveryPage {
  endpointId: string;
  state: DeliveryState | undefined;
  /** Only those with a lower number. */
  before: bigint | undefined;
  limit: number;
}

/** Deliveries to one endpoint, newest first. */
export async function listDeliveries(from: Queryable, page: DeliveryPage): Promise<DeliveryRow[]> {
  const { endpointId, state, before = 9_223_372_036_854_775_807n, limit } = page;
  const rows =
    state === undefined
      ? await from.query<Row>(
          `SELECT ${COLUMNS} FROM webhook_delivery d WHERE endpoint_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3`,
          [endpointId, before, limit],
        )
      : await from.query<Row>(
          `SELECT ${COLUMNS} FROM webhook_delivery d
           WHERE endpoint_id = $1 AND state = $4 AND seq < $2 ORDER BY seq DESC LIMIT $3`,
          [endpointId, before, limit, state],
        );
  return rows.map(fromRow);
}

/**
 * Sets dead deliveries to an endpoint on their way once more, oldest first: attempts are counted anew.
 * @param ids Only these; undefined: any.
 */
export async function reviveDeliveries(
  tx: Transaction,
  { endpointId, id, limit }: { endpointId: string; id: string | undefined; limit: number },
): Promise<Subject[]> {
  const rows = await tx.query<{ endpoint_id: string; subject: string }>(
    `UPDATE webhook_delivery SET state = 'PENDING', attempt_count = 0, due_at = now(), ended_at = NULL
     WHERE id = ANY (ARRAY (
       SELECT id FROM webhook_delivery
       WHERE endpoint_id = $1 AND state = 'DEAD' AND ($2::uuid IS NULL OR id = $2) ORDER BY seq LIMIT $3
     )) RETURNING endpoint_id, subject`,
    [endpointId, id ?? null, limit],
  );
  return rows.map(({ endpoint_id, subject }) => ({ endpointId: endpoint_id, subject }));
}

/** What became of one attempt. */
export interface AttemptEnd {
  id: string;
  /** The attempt's number: one that was taken over by another sender since is not written. */
  number: number;
  attempt: Attempt;
  state: DeliveryState;
  /** Until the next attempt, in milliseconds; only while PENDING. */
  delayMs: number;
}

/** Writes the end of an attempt. @returns its subject, or undefined when another sender has taken it over. */
export async function endAttempt(tx: Transaction, end: AttemptEnd): Promise<string | undefined> {
  const rows = await tx.query<{ subject: string }>(
    `UPDATE webhook_delivery SET state = $3, sending = false,
       due_at = now() + make_interval(secs => $4::float8 / 1000),
       ended_at = CASE WHEN $3 = 'PENDING' THEN NULL ELSE now() END,
       attempts = CASE WHEN jsonb_array_length(attempts) < ${KEPT_ATTEMPTS} THEN attempts ELSE attempts - 0 END || $5::jsonb
     WHERE id = $1 AND attempt_count = $2 AND sending AND state = 'PENDING' RETURNING subject`,
    [end.id, end.number, end.state, end.delayMs, JSON.stringify([end.attempt])],
  );
  return rows[0]?.subject;
}

/** Gives back deliveries that were taken and not sent: as if they had not been taken. */
export async function releaseDeliveries(
  from: Queryable,
  taken: readonly { id: string; number: number }[],
): Promise<void> {
  await from.query(
    `WITH released AS (
       UPDATE webhook_delivery d SET sending = false, due_at = now(), attempt_count = d.attempt_count - 1
       FROM unnest($1::uuid[], $2::int[]) AS t (id, number)
       WHERE d.id = t.id AND d.attempt_count = t.number AND d.sending RETURNING d.endpoint_id
     )
     UPDATE webhook_endpoint SET due_at = now() WHERE id IN (SELECT endpoint_id FROM released) AND state = 'ENABLED'`,
    [taken.map(({ id }) => id), taken.map(({ number }) => number)],
  );
}

/** Gives up what waits for an endpoint, but for what is being sent. @returns how many. */
export async function killPending(tx: Transaction, endpointId: string): Promise<number> {
  const rows = await tx.query<{ count: number }>(
    `WITH killed AS (
       UPDATE webhook_delivery SET state = 'DEAD', ended_at = now()
       WHERE endpoint_id = $1 AND state = 'PENDING' AND NOT sending RETURNING 1
     ) SELECT count(*)::int AS count FROM killed`,
    [endpointId],
  );
  return rows[0]!.count;
}

/**
 * Deletes, in chunks, deliveries that ended long ago, and those of deleted endpoints with these.
 *
 * @returns how many were deleted.
 */
export async function purgeDeliveries(from: Queryable, keptDays: number, chunkRows: number): Promise<number> {
  let deleted = 0;
  for (const condition of [
    "ended_at < now() - make_interval(days => $1)",
    "endpoint_id IN (SELECT id FROM webhook_endpoint WHERE state = 'DELETED') AND $1::int IS NOT NULL",
  ])
    for (let rows: unknown[] = [1]; rows.length > 0; deleted += rows.length)
      rows = await from.query(
        `DELETE FROM webhook_delivery WHERE ctid = ANY (ARRAY (
           SELECT ctid FROM webhook_delivery WHERE ${condition} LIMIT $2
         )) RETURNING 1`,
        [keptDays, chunkRows],
      );
  await from.query(
    `DELETE FROM webhook_endpoint e WHERE state = 'DELETED'
       AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id)`,
  );
  return deleted;
}
