import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import type { Answer, Api, BrokerRoom, Request } from "./room.ts";

/** Bytes that a partition takes in the answer besides its records. */
const PARTITION_OVERHEAD_BYTES = 64;

interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

interface Found {
  readonly wanted: Wanted;
  readonly error: ErrorCode;
  readonly endOffset: number;
  readonly batches: readonly Buffer[];
  readonly bytes: number;
}

interface Collected {
  readonly found: readonly Found[];
  readonly bytes: number;
  readonly failed: boolean;
}

/** Version 4. Waits until `minBytes` are there or `maxWaitMs` are over, unless a partition has an error to tell. */
export const fetch: Api = { key: 1, name: "Fetch", minVersion: 4, maxVersion: 4, handle };

function handle({ body, peer }: Request, room: BrokerRoom): Answer | Promise<Answer> {
  body.int32(); // the replica's id: there are no replicas
  const maxWaitMs = body.int32();
  const minBytes = body.int32();
  const maxBytes = Math.min(body.int32(), room.maxFetchBytes);
  body.int8(); // the isolation level: without transactions all that is stored is committed
  const topics = body.array(() => {
    const topic = body.string();
    return body.array((): Wanted => ({ topic, partition: body.int32(), offset: body.int64(), maxBytes: body.int32() }));
  });
  const wanted = topics.flat();
  const now = collect(room, wanted, maxBytes);
  if (now.failed || now.bytes >= minBytes || maxWaitMs <= 0) return write(now);
  const logs = wanted.map(({ topic, partition }) => room.topics.findPartition(topic, partition));
  const known = [...new Set(logs)].filter((log) => log !== undefined);
  return new Promise((resolve) => {
    const answer = () => {
      peer.onClose = undefined;
      resolve(write(collect(room, wanted, maxBytes)));
    };
    peer.onClose = room.waiters.wait(known, minBytes - now.bytes, maxWaitMs, answer);
  });
}

/** Reads in the order asked for; the first batch found is taken whatever its size, or a consumer could get stuck. */
function collect(room: BrokerRoom, wanted: readonly Wanted[], maxBytes: number): Collected {
  let bytes = 0;
  let failed = false;
  const found = wanted.map((each): Found => {
    const log = room.topics.findPartition(each.topic, each.partition);
    const batches: Buffer[] = [];
    if (log === undefined || each.offset < log.startOffset || each.offset > log.endOffset) {
      failed = true;
      const error = log === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.OFFSET_OUT_OF_RANGE;
      return { wanted: each, error, endOffset: log?.endOffset ?? -1, batches, bytes: 0 };
    }
    const limit = Math.min(each.maxBytes, maxBytes - bytes);
    const read = limit > 0 || bytes === 0 ? log.read(each.offset, limit, bytes === 0, batches) : 0;
    bytes += read;
    return { wanted: each, error: ErrorCode.NONE, endOffset: log.endOffset, batches, bytes: read };
  });
  return { found, bytes, failed };
}

function write({ found, bytes }: Collected): Writer {
  const byTopic = new Map<string, Found[]>();
  for (const each of found) {
    const list = byTopic.get(each.wanted.topic);
    if (list === undefined) byTopic.set(each.wanted.topic, [each]);
    else list.push(each);
  }
  const writer = new Writer(bytes + PARTITION_OVERHEAD_BYTES * (found.length + 1));
  writer.int32(0).array([...byTopic], ([topic, partitions]) => {
    writer.string(topic).array(partitions, (each) => {
      writer.int32(each.wanted.partition).int16(each.error).int64(each.endOffset).int64(each.endOffset);
      writer.int32(-1).int32(each.bytes); // -1: no aborted transactions
      for (const batch of each.batches) writer.raw(batch);
    });
  });
  return writer;
}
