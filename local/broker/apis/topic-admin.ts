import { FIXED_CONFIGS, TOPIC_CONFIGS, type Topic } from "../log/topics.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import { type Answer, type Api, type BrokerRoom, NODE_ID, type Request } from "./room.ts";

const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;

export const createTopics: Api = { key: 19, name: "CreateTopics", minVersion: 0, maxVersion: 0, handle: handleCreate };

/** Version 0. The committed offsets of the topic go with it. */
export const deleteTopics: Api = {
  key: 20,
  name: "DeleteTopics",
  minVersion: 0,
  maxVersion: 0,
  handle: ({ body }, room) => {
    const names = body.array(() => body.string());
    const writer = new Writer();
    return writer.array(names, (name) => {
      const error = room.topics.delete(name);
      if (error === ErrorCode.NONE) room.offsets.deleteTopic(name);
      writer.string(name).int16(error);
    });
  },
};

export const createPartitions: Api = {
  key: 37,
  name: "CreatePartitions",
  minVersion: 0,
  maxVersion: 0,
  handle: handleGrow,
};

/** Version 0. Read only: a topic's configuration is set when it is made. */
export const describeConfigs: Api = {
  key: 32,
  name: "DescribeConfigs",
  minVersion: 0,
  maxVersion: 0,
  handle: handleDescribeConfigs,
};

function handleCreate({ body }: Request, room: BrokerRoom): Answer {
  const topics = body.array(() => ({
    name: body.string(),
    partitions: body.int32(),
    replicationFactor: body.int16(),
    assignments: body.array(() => ({ partition: body.int32(), replicas: body.array(() => body.int32()) })),
    config: body.array(() => [body.string(), body.nullableString() ?? ""] as const),
  }));
  const writer = new Writer();
  return writer.array(topics, ({ name, partitions, replicationFactor, assignments, config }) => {
    const assigned = assignments.length > 0;
    const wanted = assigned ? assignments.length : partitions === -1 ? room.defaultPartitions : partitions;
    let error: ErrorCode = ErrorCode.NONE;
    if (!assigned && replicationFactor !== 1 && replicationFactor !== -1) error = ErrorCode.INVALID_REPLICATION_FACTOR;
    if (!assignments.every(({ replicas }) => replicas.length === 1 && replicas[0] === NODE_ID)) {
      error = ErrorCode.INVALID_REPLICA_ASSIGNMENT;
    }
    if (error === ErrorCode.NONE) error = room.topics.create(name, wanted, Object.fromEntries(config));
    writer.string(name).int16(error);
  });
}

function handleGrow({ body }: Request, room: BrokerRoom): Answer {
  const topics = body.array(() => ({
    name: body.string(),
    count: body.int32(),
    assignments: body.nullableArray(() => body.array(() => body.int32())),
  }));
  body.int32(); // the time-out: it is done at once
  const validateOnly = body.boolean();
  const writer = new Writer().int32(0);
  return writer.array(topics, ({ name, count }) => {
    writer
      .string(name)
      .int16(room.topics.grow(name, count, validateOnly))
      .string(null);
  });
}

function handleDescribeConfigs({ body }: Request, room: BrokerRoom): Answer {
  const resources = body.array(() => ({
    type: body.int8(),
    name: body.string(),
    keys: body.nullableArray(() => body.string()),
  }));
  const writer = new Writer().int32(0);
  return writer.array(resources, ({ type, name, keys }) => {
    const { error, entries } = findConfig(room, type, name);
    writer.int16(error).string(null).int8(type).string(name);
    const wanted = entries.filter(({ key }) => keys === null || keys.length === 0 || keys.includes(key));
    writer.array(wanted, ({ key, value, isDefault }) => {
      writer.string(key).string(value).boolean(false).boolean(isDefault).boolean(false);
    });
  });
}

interface ConfigEntry {
  readonly key: string;
  readonly value: string;
  readonly isDefault: boolean;
}

function findConfig(room: BrokerRoom, type: number, name: string): { error: ErrorCode; entries: ConfigEntry[] } {
  const topic = type === TOPIC_RESOURCE ? room.topics.find(name) : undefined;
  if (topic !== undefined) return { error: ErrorCode.NONE, entries: topicConfig(topic) };
  if (type === TOPIC_RESOURCE) return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, entries: [] };
  if (type !== BROKER_RESOURCE || name !== String(NODE_ID)) return { error: ErrorCode.INVALID_REQUEST, entries: [] };
  const entries = [
    { key: "auto.create.topics.enable", value: String(room.autoCreateTopics), isDefault: !room.autoCreateTopics },
    { key: "num.partitions", value: String(room.defaultPartitions), isDefault: true },
  ];
  return { error: ErrorCode.NONE, entries };
}

function topicConfig(topic: Topic): ConfigEntry[] {
  const changeable = Object.entries(TOPIC_CONFIGS).map(([key, limit]) => ({
    key,
    value: String(topic.limits[limit]),
    isDefault: topic.config[key] === undefined,
  }));
  const fixed = Object.entries(FIXED_CONFIGS).map(([key, value]) => ({ key, value, isDefault: true }));
  return [...changeable, ...fixed];
}
