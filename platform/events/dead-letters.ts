import type { OutgoingRecord, ReceivedRecord } from "./types.ts";

/** The error's text is for a person who looks at the dead letters; what is longer stands in the log. */
const MAX_ERROR_LENGTH = 300;

/** Below a broker's usual limit of 1 MiB for a batch, with room for what a batch says beside its record. */
const MAX_BYTES = 1_000_000;

/** The topic that takes what cannot be handled of another. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`;
}

/** One sentence about any thrown value, with what lies behind it. */
export function shortText(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, MAX_ERROR_LENGTH);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.name}: ${error.message}${cause}`.slice(0, MAX_ERROR_LENGTH);
}

function sizeOf({ key, value, headers }: Omit<OutgoingRecord, "topic">): number {
  const texts = [key, ...Object.entries(headers).flat()];
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), value.byteLength);
}

/**
 * A record as it goes to the dead letters: as it came, with headers that say where from and why. One that would
 * be too large with these goes without its value, whose size stands in `dlq_left_out` then, and at last without
 * key and headers of its own too: the whole of it lies where dlq_topic, dlq_partition and dlq_offset say.
 */
export function deadLetterOf(record: ReceivedRecord, group: string, error: unknown): OutgoingRecord {
  const value = record.value ?? new Uint8Array(0);
  const where = {
    dlq_error: shortText(error),
    dlq_topic: record.topic,
    dlq_partition: String(record.partition),
    dlq_offset: String(record.offset),
    dlq_group: group,
    dlq_time: new Date().toISOString(),
  };
  const whole = { key: record.key ?? "", value, headers: { ...record.headers, ...where } };
  const leftOut = { dlq_left_out: `${value.byteLength} bytes` };
  const short = { ...whole, value: new Uint8Array(0), headers: { ...whole.headers, ...leftOut } };
  const bare = { key: "", value: short.value, headers: { ...where, ...leftOut } };
  const fitting = [whole, short].find((each) => sizeOf(each) <= MAX_BYTES) ?? bare;
  return { topic: deadLetterTopic(record.topic), ...fitting };
}
