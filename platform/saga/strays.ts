import type { DescMessage, Message } from "@bufbuild/protobuf";
import { encode } from "@ferry/platform/codec";
import type { Queryable, Transaction } from "@ferry/platform/db";
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
