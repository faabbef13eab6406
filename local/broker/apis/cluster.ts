import type { Topic } from "../log/topics.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import { type Answer, type Api, type BrokerRoom, NODE_ID, type Request } from "./room.ts";

const GROUP_COORDINATOR = 0;

/** Versions 1 to 4. An unknown topic is made only where both the client and the broker's configuration allow it. */
export const metadata: Api = { key: 3, name: "Metadata", minVersion: 1, maxVersion: 4, handle: handleMetadata };

/** Versions 0 and 1. The one broker coordinates every group; it has no transactions to coordinate. */
export const findCoordinator: Api = {
  key: 10,
  name: "FindCoordinator",
  minVersion: 0,
  maxVersion: 1,
  handle: handleFindCoordinator,
};

/** Version 0. Ids are never given out twice; transactional ids are refused. */
export const initProducerId: Api = {
  key: 22,
  name: "InitProducerId",
  minVersion: 0,
  maxVersion: 0,
  handle: ({ body }, room) => {
    const transactional = body.nullableString() !== null;
    const writer = new Writer().int32(0).int16(transactional ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE);
    return transactional ? writer.int64(-1).int16(-1) : writer.int64(room.producerIds.take()).int16(0);
  },
};

function handleMetadata({ version, body }: Request, room: BrokerRoom): Answer {
  const names = body.nullableArray(() => body.string());
  const mayCreate = room.autoCreateTopics && (version < 4 || body.boolean());
  const found =
    names === null
      ? room.topics.all().map((topic) => ({ name: topic.name, topic, error: ErrorCode.NONE as ErrorCode }))
      : names.map((name) => ({ name, ...findTopic(room, name, mayCreate) }));
  const writer = new Writer();
  if (version >= 3) writer.int32(0);
  writer.int32(1).int32(NODE_ID).string(room.host).int32(room.port()).string(null);
  if (version >= 2) writer.string(room.clusterId);
  return writer.int32(NODE_ID).array(found, ({ name, topic, error }) => {
    writer.int16(error).string(name).boolean(false);
    writer.array([...(topic?.partitions.keys() ?? [])], (partition) => {
      writer.int16(ErrorCode.NONE).int32(partition).int32(NODE_ID);
      writer.int32(1).int32(NODE_ID).int32(1).int32(NODE_ID); // the replicas, and those in sync
    });
  });
}

function findTopic(room: BrokerRoom, name: string, mayCreate: boolean): { topic: Topic | undefined; error: ErrorCode } {
  if (mayCreate && room.topics.find(name) === undefined) {
    const error = room.topics.create(name, room.defaultPartitions);
    if (error !== ErrorCode.NONE) return { topic: undefined, error };
  }
  const topic = room.topics.find(name);
  return { topic, error: topic === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE };
}

function handleFindCoordinator({ version, body }: Request, room: BrokerRoom): Answer {
  body.string(); // the group's id: every group has the same coordinator
  const type = version >= 1 ? body.int8() : GROUP_COORDINATOR;
  const writer = new Writer();
  if (version >= 1) writer.int32(0);
  if (type !== GROUP_COORDINATOR) {
    writer.int16(ErrorCode.INVALID_REQUEST).string("this broker has no transactions");
    return writer.int32(-1).string("").int32(-1);
  }
  writer.int16(ErrorCode.NONE);
  if (version >= 1) writer.string(null);
  return writer.int32(NODE_ID).string(room.host).int32(room.port());
}
