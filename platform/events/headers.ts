import { isTraceparent } from "@ferry/platform/telemetry";
import type { Envelope } from "./types.ts";

/** Names of the headers on the bus: CloudEvents in binary mode, and what a saga needs. */
export const header = {
  id: "ce_id",
  type: "ce_type",
  source: "ce_source",
  time: "ce_time",
  specVersion: "ce_specversion",
  contentType: "content-type",
  traceparent: "traceparent",
  sagaId: "saga_id",
  sagaStep: "saga_step",
  replyTo: "reply_to",
  expiresAt: "expires_at",
} as const;

/** What a message says about itself, as it goes into headers. */
export interface MessageFacts {
  id: string;
  /** Full name of the message type. */
  type: string;
  /** Who says it, as "ferry/ledger". */
  source: string;
  time: Date;
  traceparent?: string | undefined;
  sagaId?: string | undefined;
  sagaStep?: string | undefined;
  replyTo?: string | undefined;
  expiresAt?: Date | undefined;
}

/** Writes headers; times as RFC 3339. What is undefined is left out. */
export function writeHeaders(facts: MessageFacts): Record<string, string> {
  const headers: Record<string, string> = {
    [header.id]: facts.id,
    [header.type]: facts.type,
    [header.source]: facts.source,
    [header.time]: facts.time.toISOString(),
    [header.specVersion]: "1.0",
    [header.contentType]: "application/protobuf",
  };
  if (facts.traceparent !== undefined) headers[header.traceparent] = facts.traceparent;
  if (facts.sagaId !== undefined) headers[header.sagaId] = facts.sagaId;
  if (facts.sagaStep !== undefined) headers[header.sagaStep] = facts.sagaStep;
  if (facts.replyTo !== undefined) headers[header.replyTo] = facts.replyTo;
  if (facts.expiresAt !== undefined) headers[header.expiresAt] = facts.expiresAt.toISOString();
  return headers;
}

/**
 * Reads headers into all of an envelope but its message.
 *
 * @throws Error that names the header which is missing or malformed.
 */
export function readHeaders(headers: Readonly<Record<string, string>>): Omit<Envelope<never>, "message" | "key"> {
  const id = headers[header.id];
  const type = headers[header.type];
  if (!id) throw new Error(`header ${header.id} is missing`);
  if (!type) throw new Error(`header ${header.type} is missing`);
  const envelope: Omit<Envelope<never>, "message" | "key"> = { id, type };
  const { [header.sagaId]: sagaId, [header.sagaStep]: sagaStep, [header.replyTo]: replyTo } = headers;
  if (sagaId) envelope.sagaId = sagaId;
  if (sagaStep) envelope.sagaStep = sagaStep;
  if (replyTo) envelope.replyTo = replyTo;
  const traceparent = headers[header.traceparent];
  if (isTraceparent(traceparent)) envelope.traceparent = traceparent;
  const expiresAt = headers[header.expiresAt];
  if (expiresAt) {
    envelope.expiresAt = new Date(expiresAt);
    if (Number.isNaN(envelope.expiresAt.getTime())) throw new Error(`header ${header.expiresAt} is no RFC 3339 time`);
  }
  return envelope;
}
