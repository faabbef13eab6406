import type { CommittedOffset } from "../group/offsets.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import type { Answer, Api, BrokerRoom, Request } from "./room.ts";

/** Version 2. Offsets are kept until the group or the topic is deleted, whatever retention the client asks for. */
export const offsetCommit: Api = { key: 8, name: "OffsetCommit", minVersion: 2, maxVersion: 2, handle: handleCommit };

/** Versions 1 to 3. From version 2 on, no list of topics means all that the group has committed. */
export const offsetFetch: Api = { key: 9, name: "OffsetFetch", minVersion: 1, maxVersion: 3, handle: handleFetch };

function handleCommit({ body, peer }: Request, room: BrokerRoom): Answer {
  const groupId = body.string();
  const generation = body.int32();
  const memberId = body.string();
  body.int64(); // how long to keep the offsets
  const topics = body.array(() => {
    const topic = body.string();
    const partitions = body.array(
      (): CommittedOffset => ({
        topic,
        partition: body.int32(),
        offset: body.int64(),
        metadata: body.nullableString() ?? "",
      }),
    );
    return { topic, partitions };
  });
  const refusal = room.coordinator.checkCommit(groupId, memberId, generation, peer);
  const errorOf = (commit: CommittedOffset): ErrorCode => {
    if (refusal !== ErrorCode.NONE) return refusal;
    if (commit.metadata.length > room.maxMetadataBytes) return ErrorCode.OFFSET_METADATA_TOO_LARGE;
    const known = room.topics.findPartition(commit.topic, commit.partition) !== undefined;
    return known ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  };
  const sound = topics.flatMap(({ partitions }) => partitions.filter((commit) => errorOf(commit) === ErrorCode.NONE));
  const stored = sound.length === 0 ? ErrorCode.NONE : room.coordinator.commit(groupId, sound);
  const writer = new Writer();
  return writer.array(topics, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, (commit) => {
      writer.int32(commit.partition).int16(errorOf(commit) || stored);
    });
  });
}

function handleFetch({ version, body }: Request, room: BrokerRoom): Answer {
  const groupId = body.string();
  const asked = body.nullableArray(() => ({ topic: body.string(), partitions: body.array(() => body.int32()) }));
  const topics = asked === null && version >= 2 ? committedTopics(room, groupId) : (asked ?? []);
  const writer = new Writer();
  if (version >= 3) writer.int32(0);
  writer.array(topics, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, (partition) => {
      const committed = room.offsets.find(groupId, topic, partition);
      writer.int32(partition).int64(committed?.offset ?? -1);
      writer.string(committed?.metadata ?? "").int16(ErrorCode.NONE);
    });
  });
  return version >= 2 ? writer.int16(ErrorCode.NONE) : writer;
}

function committedTopics(room: BrokerRoom, groupId: string): { topic: string; partitions: number[] }[] {
  const byTopic = Map.groupBy(room.offsets.all(groupId), ({ topic }) => topic);
  return [...byTopic].map(([topic, commits]) => ({ topic, partitions: commits.map(({ partition }) => partition) }));
}
