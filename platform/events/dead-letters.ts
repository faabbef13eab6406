import type { OutgoingRecord, ReceivedRecord } from "./types.ts";

/** The error's text is for a person who looks at the dead letters; what is longer stands in the log. */
const MAX_ERROR_LENGTH = 300;

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

/** A record as it goes to the dead letters: as it came, with headers that say where from and why. */
export function deadLetterOf(record: ReceivedRecord, group: string, error: unknown): OutgoingRecord {
  return {
    topic: deadLetterTopic(record.topic),
    key: record.key ?? "",
    value: record.value ?? new Uint8Array(0),
    headers: {
      ...record.headers,
      dlq_error: shortText(error),
      dlq_topic: record.topic,
      dlq_partition: String(record.partition),
      dlq_offset: String(record.offset),
      dlq_group: group,
      dlq_time: new Date().toISOString(),
    },
  };
}
