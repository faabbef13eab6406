import type { DescMessage, Message } from "@bufbuild/protobuf";
import { decode, encode } from "@ferry/platform/codec";
import { type Queryable, type Transaction, textArray } from "@ferry/platform/db";
import type { Envelope } from "@ferry/platform/events";

/** How long a reply for an unknown saga is kept, in milliseconds: 7 days. */
const KEPT_MS = 7 * 24 * 3_600_000;
const DELETED_AT_ONCE = 1_000;

/** Keeps replies for sagas that this database does not know: they may be all that tells of moved money. */
export async function keepStrays(
  tx: Transaction,
  strays: readonly Envelope<Message>[],
  schemas: ReadonlyMap<string, DescMessage>,
  nowMs: number,
): Promise<void> {
  const messages = strays.map(({ message }) => {
    const schema = schemas.get(message.$typeName);
    return schema === undefined ? Buffer.alloc(0) : encode(schema, message);
  });
  await tx.query(
    `INSERT INTO saga_stray_reply (message_id, saga_id, saga_step, type, message, received_at)
     SELECT *, $6 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[])
     ON CONFLICT (message_id) DO NOTHING`,
    [
      strays.map(({ id }) => id),
      strays.map(({ sagaId }) => sagaId ?? null),
      strays.map(({ sagaStep }) => sagaStep ?? null),
      strays.map(({ message }) => message.$typeName),
      messages,
      new Date(nowMs),
    ],
  );
}

/** Deletes what was kept long enough, a limited number at a time. */
export async function deleteOldStrays(queryable: Queryable, nowMs: number): Promise<void> {
  await queryable.query(
    `DELETE FROM saga_stray_reply WHERE message_id IN (
       SELECT message_id FROM saga_stray_reply WHERE received_at < $1 ORDER BY received_at LIMIT $2)`,
    [new Date(nowMs - KEPT_MS), DELETED_AT_ONCE],
  );
}

interface StrayRow {
  message_id: string;
  saga_id: string;
  saga_step: string | null;
  type: string;
  message: Buffer;
}

const TAKEN_AT_ONCE = 200;

/** Strays whose saga is there now: it was restored, or its transaction was seen later than its reply. */
async function findFoundStrays(queryable: Queryable): Promise<StrayRow[]> {
  return queryable.query<StrayRow>(
    `SELECT message_id, saga_id, saga_step, type, message FROM saga_stray_reply AS stray
     WHERE EXISTS (SELECT FROM saga WHERE saga.id = CASE
       WHEN stray.saga_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN stray.saga_id::uuid END)
     ORDER BY received_at LIMIT $1`,
    [TAKEN_AT_ONCE],
  );
}

export interface StraySweepOptions {
  queryable: Queryable;
  handleReplies(set: readonly Envelope<Message>[]): Promise<void>;
  schemas: ReadonlyMap<string, DescMessage>;
  /** Hears how many were taken on. */
  took(count: number): void;
}

/**
 * Makes the sweep that hands kept replies to their sagas, once these are there. They are taken on first and
 * forgotten then: one that comes twice is one that the saga has no use for.
 */
export function createStraySweep({ queryable, handleReplies, schemas, took }: StraySweepOptions): () => Promise<void> {
  return async () => {
    const rows = await findFoundStrays(queryable);
    if (rows.length === 0) return;
    const set = rows.flatMap(({ message_id: id, saga_id: sagaId, saga_step, type, message }) => {
      const schema = schemas.get(type);
      if (schema === undefined) return [];
      const step = saga_step === null ? {} : { sagaStep: saga_step };
      return [{ id, type, key: sagaId, sagaId, ...step, message: decode(schema, message) as Message }];
    });
    await handleReplies(set);
    await queryable.query("DELETE FROM saga_stray_reply WHERE message_id = ANY($1::text[])", [
      textArray(rows.map(({ message_id }) => message_id)),
    ]);
    took(set.length);
  };
}
