import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import type { Answer, Api, BrokerRoom, Request } from "./room.ts";

const LATEST = -1;
const EARLIEST = -2;

interface Found {
  readonly error: ErrorCode;
  readonly timestampMs: number;
  readonly offset: number;
}

/** Version 1: the earliest offset, the latest, or the first record of a time or younger (-1 when there is none). */
export const listOffsets: Api = { key: 2, name: "ListOffsets", minVersion: 1, maxVersion: 1, handle };

function handle({ body }: Request, room: BrokerRoom): Answer {
  body.int32(); // the replica's id: there are no replicas
  const topics = body.array(() => {
    const topic = body.string();
    const partitions = body.array(() => {
      const partition = body.int32();
      return { partition, ...find(room, topic, partition, body.int64()) };
    });
    return { topic, partitions };
  });
  const writer = new Writer();
  return writer.array(topics, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, ({ partition, error, timestampMs, offset }) => {
      writer.int32(partition).int16(error).int64(timestampMs).int64(offset);
    });
  });
}

function find(room: BrokerRoom, topic: string, partition: number, timestampMs: number): Found {
  const log = room.topics.findPartition(topic, partition);
  if (log === undefined) return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, timestampMs: -1, offset: -1 };
  const found = (offset: number, foundMs: number): Found => ({ error: ErrorCode.NONE, timestampMs: foundMs, offset });
  if (timestampMs === LATEST) return found(log.endOffset, -1);
  if (timestampMs === EARLIEST) return found(log.startOffset, -1);
  const record = log.findByTime(timestampMs);
  return record === undefined ? found(-1, -1) : found(record.offset, record.timestampMs);
}
