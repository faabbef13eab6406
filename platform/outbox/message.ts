import type { MessageShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { OutboxBatchSchema, OutboxMessage } from "@ferry/gen/ferry/outbox/v1/outbox_pb.ts";
import { encode } from "@ferry/platform/codec";
import { newUuid } from "@ferry/platform/db";
import { keyOf, type OutgoingRecord, topicOf, writeHeaders } from "@ferry/platform/events";
import { currentContext } from "@ferry/platform/telemetry";
import type { OutgoingMessage } from "./types.ts";

/** Well below what brokers take: a message that the broker refuses would hold up all that follow. */
const MAX_PAYLOAD_BYTES = 512 * 1024;

/** What one transaction sends, as it rests in the table and in memory. */
export type Batch = MessageShape<typeof OutboxBatchSchema>;

/** A new batch of no messages. */
export function newBatch(source: string, time: Date): Batch {
  return { $typeName: "ferry.outbox.v1.OutboxBatch", source, time: timestampFromDate(time), messages: [] };
}

/**
 * A message as it rests: all but the moment of its expiry, which is known when it leaves.
 *
 * @throws Error when the message has no topic, or is too large to be published: a fault of the program.
 */
export function toStored(outgoing: OutgoingMessage): OutboxMessage {
  const { schema, message, sagaId = "", sagaStep = "", replyTo = "", ttlMs = 0 } = outgoing;
  const topic = outgoing.topic ?? topicOf(schema);
  if (topic === undefined) throw new Error(`${schema.typeName} has no topic of its own and none was given`);
  const payload = encode(schema, message);
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new Error(`${schema.typeName} of ${payload.length} bytes is above the limit of ${MAX_PAYLOAD_BYTES}`);
  return {
    $typeName: "ferry.outbox.v1.OutboxMessage",
    id: outgoing.id ?? newUuid(),
    type: schema.typeName,
    key: keyOf(schema, message),
    traceparent: outgoing.traceparent ?? currentContext().traceparent ?? "",
    ...{ topic, payload, sagaId, sagaStep, replyTo, ttlMs },
  };
}

/** The records of a batch as they go to the broker now: a time to live begins here, so that an absent broker expires nothing. */
export function toRecords({ source, time, messages }: Batch, nowMs: number): OutgoingRecord[] {
  const added = timestampDate(time as Timestamp);
  return messages.map(({ topic, key, id, type, payload, traceparent, sagaId, sagaStep, replyTo, ttlMs }) => ({
    ...{ topic, key },
    value: payload,
    headers: writeHeaders({
      ...{ id, type, source },
      time: added,
      traceparent: traceparent || undefined,
      sagaId: sagaId || undefined,
      sagaStep: sagaStep || undefined,
      replyTo: replyTo || undefined,
      expiresAt: ttlMs === 0 ? undefined : new Date(nowMs + ttlMs),
    }),
  }));
}
