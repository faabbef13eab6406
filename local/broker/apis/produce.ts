import type { AppendResult } from "../log/partition-log.ts";
import { ErrorCode, ProtocolError } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import type { Answer, Api, BrokerRoom, Request } from "./room.ts";

interface PartitionResult extends AppendResult {
  readonly partition: number;
}

/** Version 3. Everything is in the log when this returns, so acks 1 and all mean the same. */
export const produce: Api = { key: 0, name: "Produce", minVersion: 3, maxVersion: 3, handle };

function handle({ body }: Request, room: BrokerRoom): Answer {
  const transactionalId = body.nullableString();
  const acks = body.int16();
  body.int32(); // the time-out is for replicas, and there are none to wait for
  const refusal = refuse(acks, transactionalId);
  const results = body.array(() => {
    const topic = body.string();
    const partitions = body.array((): PartitionResult => {
      const partition = body.int32();
      const records = body.nullableBytes();
      if (refusal !== ErrorCode.NONE) return { partition, error: refusal, baseOffset: -1 };
      return { partition, ...append(room, topic, partition, records) };
    });
    return { topic, partitions };
  });
  if (acks !== 0) return write(results);
  const failed = results.flatMap(({ partitions }) => partitions).find(({ error }) => error !== ErrorCode.NONE);
  // As in Apache Kafka: closing the connection is the only way to tell a client that asked for no response.
  if (failed !== undefined) throw new ProtocolError(`produce without acknowledgement failed with ${failed.error}`);
  return undefined;
}

function refuse(acks: number, transactionalId: string | null): ErrorCode {
  if (acks < -1 || acks > 1) return ErrorCode.INVALID_REQUIRED_ACKS;
  return transactionalId === null ? ErrorCode.NONE : ErrorCode.INVALID_REQUEST; // no transactions here
}

function append(room: BrokerRoom, topic: string, partition: number, records: Buffer | null): AppendResult {
  const log = room.topics.findPartition(topic, partition);
  if (log === undefined) return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, baseOffset: -1 };
  if (records === null) return { error: ErrorCode.INVALID_RECORD, baseOffset: -1 };
  return log.append(records);
}

function write(results: readonly { topic: string; partitions: readonly PartitionResult[] }[]): Writer {
  const writer = new Writer();
  writer.array(results, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, ({ partition, error, baseOffset }) => {
      writer.int32(partition).int16(error).int64(baseOffset).int64(-1); // -1: timestamps are the producer's
    });
  });
  return writer.int32(0);
}
