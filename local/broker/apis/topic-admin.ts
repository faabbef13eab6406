import { FIXED_CONFIGS, TOPIC_CONFIGS, type Topic } from "../log/topics.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import { type Answer, type Api, type BrokerRoom, NODE_ID, type Request } from "./room.ts";

const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;
/** Where a setting comes from, from version 1 on. */
const SOURCE_TOPIC = 1;
const SOURCE_BROKER = 4;
const SOURCE_DEFAULT = 5;

/** Versions 0 to 4: from 1 on with a dry run and messages, from 2 on with a throttle time, always 0. */
export const createTopics: Api = { key: 19, name: "CreateTopics", minVersion: 0, maxVersion: 4, handle: handleCreate };

/** Versions 0 to 3. The committed offsets of the topic go with it. */
export const deleteTopics: Api = {
  key: 20,
  name: "DeleteTopics",
  minVersion: 0,
  maxVersion: 3,
  handle: ({ version, body }, room) => {
    const names = body.array(() => body.string());
    const writer = new Writer();
    if (version >= 1) writer.int32(0);
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

/** Versions 0 to 2. Read only: a topic's configuration is set when it is made. */
export const describeConfigs: Api = {
  key: 32,
  name: "DescribeConfigs",
  minVersion: 0,
  maxVersion: 2,
  handle: handleDescribeConfigs,
};

interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly assignments: readonly { partition: number; replicas: number[] }[];
  readonly config: readonly (readonly [string, string])[];
}

function handleCreate({ version, body }: Request, room: BrokerRoom): Answer {
  const topics = body.array(
    (): NewTopic => ({
      name: body.string(),
      partitions: body.int32(),
      replicationFactor: body.int16(),
      assignments: body.array(() => ({ partition: body.int32(), replicas: body.array(() => body.int32()) })),
      config: body.array(() => [body.string(), body.nullableString() ?? ""] as const),
    }),
  );
  body.int32(); // the time-out: it is done at once
  const validateOnly = version >= 1 && body.boolean();
  const writer = new Writer();
  if (version >= 2) writer.int32(0);
  return writer.array(topics, (topic) => {
    const { error, message } = create(room, topic, validateOnly);
    writer.string(topic.name).int16(error);
    if (version >= 1) writer.string(message);
  });
}

function create(
  room: BrokerRoom,
  topic: NewTopic,
  validateOnly: boolean,
): { error: ErrorCode; message: string | null } {
  const { name, partitions, replicationFactor, assignments } = topic;
  const assigned = assignments.length > 0;
  if (!assigned && replicationFactor !== 1 && replicationFactor !== -1) {
    return { error: ErrorCode.INVALID_REPLICATION_FACTOR, message: "there is one broker: the factor is 1" };
  }
  if (!assignments.every(({ replicas }) => replicas.length === 1 && replicas[0] === NODE_ID)) {
    return { error: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message: `there is one broker, with the id ${NODE_ID}` };
  }
  const wanted = assigned ? assignments.length : partitions === -1 ? room.defaultPartitions : partitions;
  const config = Object.fromEntries(topic.config);
  const error = validateOnly ? room.topics.checkCreate(name, wanted, config) : room.topics.create(name, wanted, config);
  return { error, message: messageOf(error, name) };
}

function messageOf(error: ErrorCode, name: string): string | null {
  switch (error) {
    case ErrorCode.NONE:
      return null;
    case ErrorCode.TOPIC_ALREADY_EXISTS:
      return `topic ${name} exists already`;
    case ErrorCode.INVALID_TOPIC:
      return "a topic's name has 1 to 249 of the characters a-z, A-Z, 0-9, dot, underscore, hyphen";
    case ErrorCode.INVALID_PARTITIONS:
      return "the number of partitions is below 1 or above this broker's limit";
    case ErrorCode.INVALID_CONFIG:
      return "a setting is not one that this broker has, or its value is out of range; its log names it";
    default:
      return "the topic cannot be made; this broker's limit of topics is reached";
  }
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

function handleDescribeConfigs({ version, body }: Request, room: BrokerRoom): Answer {
  const resources = body.array(() => ({
    type: body.int8(),
    name: body.string(),
    keys: body.nullableArray(() => body.string()),
  }));
  const writer = new Writer().int32(0);
  return writer.array(resources, ({ type, name, keys }) => {
    const { error, entries } = findConfig(room, type, name);
    const sourceOfSet = type === TOPIC_RESOURCE ? SOURCE_TOPIC : SOURCE_BROKER;
    writer.int16(error).string(null).int8(type).string(name);
    const wanted = entries.filter(({ key }) => keys === null || keys.length === 0 || keys.includes(key));
    writer.array(wanted, ({ key, value, isDefault }) => {
      writer.string(key).string(value).boolean(false);
      if (version === 0) writer.boolean(isDefault).boolean(false);
      else
        writer
          .int8(isDefault ? SOURCE_DEFAULT : sourceOfSet)
          .boolean(false)
          .int32(0); // 0: no synonyms
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
