import type { Writer } from "../protocol/writer.ts";
import type { RawClient } from "./raw-client.ts";

/** The requests that several tests send by hand, each to one partition of one topic. */
export async function createTopic(client: RawClient, topic: string, partitions: number): Promise<number> {
  const { body } = await client.request(19, 0, (to) =>
    to.int32(1).string(topic).int32(partitions).int16(1).int32(0).int32(0).int32(1000),
  );
  return body.array(() => ({ name: body.string(), error: body.int16() }))[0]!.error;
}

export function produceBody(topic: string, partition: number, records: Buffer, acks = -1): (to: Writer) => unknown {
  return (to) => {
    to.string(null).int16(acks).int32(1000);
    to.int32(1).string(topic).int32(1).int32(partition).bytes(records);
  };
}

export async function produce(
  client: RawClient,
  topic: string,
  partition: number,
  records: Buffer,
): Promise<{ error: number; baseOffset: number }> {
  const { body } = await client.request(0, 3, produceBody(topic, partition, records));
  const topics = body.array(() => {
    body.string();
    return body.array(() => {
      body.int32();
      const result = { error: body.int16(), baseOffset: body.int64() };
      body.int64();
      return result;
    });
  });
  return topics[0]![0]!;
}

export interface FetchOptions {
  readonly offset: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly maxPartitionBytes?: number;
}

export interface Fetched {
  readonly partition: number;
  readonly error: number;
  readonly endOffset: number;
  readonly records: Buffer;
}

export async function fetchPartitions(
  client: RawClient,
  topic: string,
  partitions: readonly number[],
  options: FetchOptions,
): Promise<Fetched[]> {
  const { offset, maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 25, maxPartitionBytes = 1 << 20 } = options;
  const { body } = await client.request(1, 4, (to) => {
    to.int32(-1).int32(maxWaitMs).int32(minBytes).int32(maxBytes).int8(0).int32(1).string(topic);
    to.array(partitions, (partition) => to.int32(partition).int64(offset).int32(maxPartitionBytes));
  });
  body.int32();
  const topics = body.array(() => {
    body.string();
    return body.array((): Fetched => {
      const [partition, error, endOffset] = [body.int32(), body.int16(), body.int64()];
      body.int64();
      body.int32();
      return { partition, error, endOffset, records: body.bytes() };
    });
  });
  return topics.flat();
}
