import { toBinary } from "@bufbuild/protobuf";
import { newUuid } from "@ferry/platform/db";
import { header, keyOf, type OutgoingRecord, topicOf, writeHeaders } from "@ferry/platform/events";
import { currentContext } from "@ferry/platform/telemetry";
import type { OutgoingMessage } from "./types.ts";

/** Well below what brokers take: a message that the broker refuses would hold up all that follow. */
const MAX_PAYLOAD_BYTES = 512 * 1024;

/** A message as it rests in the table or in memory: all but the moment of its expiry, which is known when it leaves. */
export interface StoredMessage {
  topic: string;
  key: string;
  headers: Readonly<Record<string, string>>;
  payload: Uint8Array;
  ttlMs: number | null;
}

/** @throws Error when the message has no topic, or is too large to be published: a fault of the program. */
export function toStored(outgoing: OutgoingMessage, source: string, time: Date): StoredMessage {
  const { schema, message, sagaId, sagaStep, replyTo, ttlMs } = outgoing;
  const topic = outgoing.topic ?? topicOf(schema);
  if (topic === undefined) throw new Error(`${schema.typeName} has no topic of its own and none was given`);
  const payload = toBinary(schema, message);
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new Error(`${schema.typeName} of ${payload.length} bytes is above the limit of ${MAX_PAYLOAD_BYTES}`);
  const headers = writeHeaders({
    id: outgoing.id ?? newUuid(),
    type: schema.typeName,
    traceparent: outgoing.traceparent ?? currentContext().traceparent,
    ...{ source, time, sagaId, sagaStep, replyTo },
  });
  return { topic, key: keyOf(schema, message), headers, payload, ttlMs: ttlMs ?? null };
}

/** The record as it goes to the broker now: a time to live begins here, so that an absent broker expires nothing. */
export function toRecord({ topic, key, headers, payload, ttlMs }: StoredMessage, nowMs: number): OutgoingRecord {
  if (ttlMs === null) return { topic, key, value: payload, headers };
  const expiresAt = new Date(nowMs + ttlMs).toISOString();
  return { topic, key, value: payload, headers: { ...headers, [header.expiresAt]: expiresAt } };
}
