import type { Queryable, Transaction } from "@ferry/platform/db";
import type { DisableReason, EndpointState } from "../domain/endpoint.ts";

/** Deliveries to an endpoint that fails go one at a time: those to others need not wait for its time-outs. */
const IN_FLIGHT_WHEN_FAILING = 1;

/** A delivery that this process has taken to send. */
export interface TakenDelivery {
  id: string;
  endpointId: string;
  eventId: string;
  body: string;
  /** Counted from 1. */
  number: number;
  url: string;
  /** Sealed; the present one first, then the previous one while it signs too. */
  sealedSecrets: Buffer[];
  /** Whether its endpoint's last attempt failed. */
  failing: boolean;
}

export interface TakeRequest {
  /** Deliveries at most. */
  limit: number;
  /** Deliveries under way to one endpoint at most, by all processes. */
  inFlightEach: number;
  /** Whether endpoints that fail are looked at. */
  withFailing: boolean;
  /** How long this process has for them before another may take them, in milliseconds. */
  leaseMs: number;
}

/**
 * Takes deliveries that are due: of the endpoints that have waited longest, each with few of its own, so
 * that none holds up the others. Endpoints that another process looks at are left to it.
 *
 * @returns The deliveries, and how many endpoints were looked at: with none there is nothing to do now.
 */
export async function takeDue(
  tx: Transaction,
  request: TakeRequest,
): Promise<{ looked: number; taken: TakenDelivery[] }> {
  const ready = await tx.query<{ id: string }>(
    `SELECT id FROM webhook_endpoint WHERE due_at <= now() AND ($2 OR failing_since IS NULL)
     ORDER BY due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED`,
    [Math.min(request.limit, 32), request.withFailing],
  );
  if (ready.length === 0) return { looked: 0, taken: [] };
  const ids = ready.map(({ id }) => id);
  const taken = await tx.query<{
    id: string;
    endpoint_id: string;
    event_id: string;
    body: string;
    attempt_count: number;
    url: string;
    secret: Buffer;
    previous_secret: Buffer | null;
    failing: boolean;
  }>(
    `WITH picked AS (
       SELECT p.id FROM webhook_endpoint e CROSS JOIN LATERAL (
         SELECT id, due_at FROM webhook_delivery
         WHERE endpoint_id = e.id AND state = 'PENDING' AND due_at <= now()
         ORDER BY due_at, seq
         LIMIT greatest(0, ${roomOf("e", "$2")})
       ) p WHERE e.id = ANY($1::uuid[]) AND e.state = 'ENABLED' ORDER BY p.due_at LIMIT $3
     )
     UPDATE webhook_delivery d
     SET sending = true, attempt_count = d.attempt_count + 1, due_at = now() + make_interval(secs => $4::float8 / 1000)
     FROM picked, webhook_endpoint e
     WHERE d.id = picked.id AND e.id = d.endpoint_id
     RETURNING d.id, d.endpoint_id, d.event_id, d.body, d.attempt_count, e.url, e.secret,
       CASE WHEN e.previous_secret_until > now() THEN e.previous_secret END AS previous_secret,
       e.failing_since IS NOT NULL AS failing`,
    [ids, request.inFlightEach, request.limit, request.leaseMs],
  );
  await refreshDue(tx, ids, request.inFlightEach);
  return {
    looked: ids.length,
    taken: taken.map((row) => ({
      id: row.id,
      endpointId: row.endpoint_id,
      eventId: row.event_id,
      body: row.body,
      number: row.attempt_count,
      url: row.url,
      sealedSecrets: row.previous_secret === null ? [row.secret] : [row.secret, row.previous_secret],
      failing: row.failing,
    })),
  };
}

/** How many more deliveries an endpoint may get now: SQL. */
function roomOf(endpoint: string, limit: string): string {
  return `(CASE WHEN ${endpoint}.failing_since IS NULL THEN ${limit}::int ELSE ${IN_FLIGHT_WHEN_FAILING} END
    - (SELECT count(*) FROM webhook_delivery s WHERE s.endpoint_id = ${endpoint}.id AND s.sending AND s.due_at > now()))`;
}

/**
 * Writes when endpoints are worth the next look: when something is due, or, while they have all that they may have
 * under way, when the first of these leases ends. What a sender that is gone had under way waits for that too: its
 * own leases are over, and a look now would find no room. Only under their locks.
 */
export async function refreshDue(tx: Transaction, ids: readonly string[], inFlightEach: number): Promise<void> {
  await tx.query(
    `UPDATE webhook_endpoint e SET due_at = CASE
       WHEN e.state <> 'ENABLED' THEN NULL
       WHEN ${roomOf("e", "$2")} > 0
         THEN (SELECT min(due_at) FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.state = 'PENDING')
       ELSE (SELECT min(due_at) FROM webhook_delivery d
         WHERE d.endpoint_id = e.id AND d.sending AND d.due_at > now())
     END WHERE e.id = ANY($1::uuid[])`,
    [ids, inFlightEach],
  );
}

/** Time until an endpoint is worth a look, in milliseconds, 0 when one is now; undefined when none will be. */
export async function msUntilDue(from: Queryable, withFailing: boolean): Promise<number | undefined> {
  const [row] = await from.query<{ ms: number | null }>(
    `SELECT ceil(extract(epoch FROM min(due_at) - now()) * 1000)::float8 AS ms
     FROM webhook_endpoint WHERE due_at IS NOT NULL AND isfinite(due_at) AND ($1 OR failing_since IS NULL)`,
    [withFailing],
  );
  return row === undefined || row.ms === null ? undefined : Math.max(0, row.ms);
}

/** An endpoint's health, as the end of an attempt finds it. */
export interface EndpointHealth {
  state: EndpointState | "DELETED";
  /** For how long it has failed, in milliseconds; undefined when it does not. */
  failingForMs: number | undefined;
}

/** Locks an endpoint, whoever's it is. */
export async function lockHealth(tx: Transaction, id: string): Promise<EndpointHealth | undefined> {
  const [row] = await tx.query<{ state: EndpointHealth["state"]; failing_ms: number | null }>(
    `SELECT state, (extract(epoch FROM now() - failing_since) * 1000)::float8 AS failing_ms
     FROM webhook_endpoint WHERE id = $1 FOR NO KEY UPDATE`,
    [id],
  );
  return row && { state: row.state, failingForMs: row.failing_ms ?? undefined };
}

/** Writes whether an endpoint works. Each change of pendingCount is the number of deliveries added or ended. */
export async function writeHealth(
  tx: Transaction,
  { id, failing, pendingChange }: { id: string; failing: boolean; pendingChange: number },
): Promise<void> {
  await tx.query(
    `UPDATE webhook_endpoint SET pending_count = pending_count + $3,
       failing_since = CASE WHEN $2 THEN coalesce(failing_since, now()) END WHERE id = $1`,
    [id, failing, pendingChange],
  );
}

/** Counts deliveries that were added to endpoints, which are due at once. */
export async function addPending(tx: Transaction, added: ReadonlyMap<string, number>): Promise<void> {
  await tx.query(
    `UPDATE webhook_endpoint e SET pending_count = e.pending_count + a.count, due_at = least(e.due_at, now())
     FROM unnest($1::uuid[], $2::int[]) AS a (id, count) WHERE e.id = a.id`,
    [[...added.keys()], [...added.values()]],
  );
}

export async function disableEndpoint(
  tx: Transaction,
  { id, reason, killed }: { id: string; reason: DisableReason; killed: number },
): Promise<void> {
  await tx.query(
    `UPDATE webhook_endpoint SET state = 'DISABLED', disable_reason = $2, disabled_at = now(), due_at = NULL,
       pending_count = pending_count - $3, updated_at = now() WHERE id = $1 AND state = 'ENABLED'`,
    [id, reason, killed],
  );
}

/** How many endpoints there are, by how they are, and how many deliveries wait for all of them. */
export async function countQueue(
  from: Queryable,
): Promise<{ well: number; failing: number; disabled: number; pending: number }> {
  const [row] = await from.query<{ well: number; failing: number; disabled: number; pending: number }>(
    `SELECT count(*) FILTER (WHERE state = 'ENABLED' AND failing_since IS NULL)::int AS well,
       count(*) FILTER (WHERE state = 'ENABLED' AND failing_since IS NOT NULL)::int AS failing,
       count(*) FILTER (WHERE state = 'DISABLED')::int AS disabled,
       coalesce(sum(pending_count) FILTER (WHERE state <> 'DELETED'), 0)::int AS pending
     FROM webhook_endpoint`,
  );
  return row!;
}
