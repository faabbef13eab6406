import { type Logger, silentLogger } from "@ferry/platform/telemetry";
import { deadLetterTopic } from "./dead-letters.ts";
import { handleSet } from "./handle-set.ts";
import type { Bus, OutgoingRecord, ReceivedRecord, SubscribeOptions, Subscription } from "./types.ts";

export interface MemoryBusOptions {
  logger?: Logger;
}

/** A bus within the process, for tests. */
export interface MemoryBus extends Bus {
  /** All that was ever published to a topic, partition by partition. */
  records(topic: string): readonly ReceivedRecord[];
}

interface Partition {
  topic: string;
  number: number;
  log: ReceivedRecord[];
}

interface Member {
  options: SubscribeOptions;
  assigned: Partition[];
  wake(): void;
}

interface Group {
  members: Member[];
  /** Next offset to handle. */
  committed: Map<Partition, number>;
  /** Partitions whose set a member has at hand: another does not begin before it is done. */
  busy: Set<Partition>;
}

/** Any stable spread will do in memory. */
function partitionOf(key: string, count: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) >>> 0;
  return hash % count;
}

/** The port of the bus in memory: partitions, groups, offsets, redelivery, halving and dead letters as on a broker. */
export function createMemoryBus({ logger = silentLogger }: MemoryBusOptions = {}): MemoryBus {
  const topics = new Map<string, Partition[]>();
  const groups = new Map<string, Group>();
  const subscriptions = new Set<Subscription>();

  function topicNamed(name: string, count = name.endsWith(".dlq") ? 1 : 3): Partition[] {
    let partitions = topics.get(name);
    if (partitions === undefined) {
      partitions = Array.from({ length: count }, (_, number) => ({ topic: name, number, log: [] }));
      topics.set(name, partitions);
    }
    return partitions;
  }

  function assign(group: Group): void {
    const names = new Set(group.members.flatMap(({ options }) => options.topics));
    for (const member of group.members) member.assigned = [];
    for (const name of names) {
      const takers = group.members.filter(({ options }) => options.topics.includes(name));
      for (const partition of topicNamed(name)) takers[partition.number % takers.length]?.assigned.push(partition);
    }
    for (const member of group.members) member.wake();
  }

  async function publish(records: readonly OutgoingRecord[]): Promise<void> {
    for (const { topic, key, value, headers } of records) {
      const partitions = topicNamed(topic);
      const partition = partitions[partitionOf(key, partitions.length)]!;
      const offset = BigInt(partition.log.length);
      partition.log.push({ topic, partition: partition.number, offset, key, value, headers: { ...headers } });
    }
    for (const group of groups.values()) for (const member of group.members) member.wake();
  }

  function take(group: Group, { assigned, options }: Member): Map<Partition, ReceivedRecord[]> {
    const set = new Map<Partition, ReceivedRecord[]>();
    let room = options.maxMessages ?? 500;
    for (const partition of assigned) {
      if (room === 0 || group.busy.has(partition)) continue;
      const from = group.committed.get(partition) ?? 0;
      const records = partition.log.slice(from, from + room);
      room -= records.length;
      if (records.length > 0) set.set(partition, records);
    }
    return set;
  }

  async function subscribe(options: SubscribeOptions): Promise<Subscription> {
    const group: Group = groups.get(options.group) ?? { members: [], committed: new Map(), busy: new Set() };
    groups.set(options.group, group);
    for (const topic of options.topics) topicNamed(deadLetterTopic(topic));
    const stopping = new AbortController();
    let paused: string | undefined;
    let awake = Promise.withResolvers<void>();
    const member: Member = { options, assigned: [], wake: () => awake.resolve() };
    const handling = {
      ...{ group: options.group, logger, publish, signal: stopping.signal, handle: options.handle },
      onPause: (reason: string | undefined) => {
        paused = reason;
      },
    };

    async function run(): Promise<void> {
      while (!stopping.signal.aborted) {
        awake = Promise.withResolvers();
        const set = take(group, member);
        if (set.size === 0) {
          await awake.promise;
          await new Promise(setImmediate); // What is published at one go arrives as one set.
          continue;
        }
        for (const partition of set.keys()) group.busy.add(partition);
        const done = await handleSet([...set.values()].flat(), handling);
        for (const [partition, records] of set) {
          group.busy.delete(partition);
          if (done) group.committed.set(partition, Number(records.at(-1)!.offset) + 1);
        }
        for (const other of group.members) if (other !== member) other.wake();
      }
    }

    group.members.push(member);
    assign(group);
    const running = run();
    const subscription: Subscription = {
      async stop() {
        if (!subscriptions.delete(subscription)) return;
        stopping.abort();
        member.wake();
        await running;
        group.members.splice(group.members.indexOf(member), 1);
        assign(group);
      },
      unready: () => (stopping.signal.aborted ? "stopped" : paused),
    };
    subscriptions.add(subscription);
    return subscription;
  }

  return {
    logger,
    publish,
    subscribe,
    async ensureTopics(wanted) {
      for (const { name, partitions } of wanted) topicNamed(name, partitions);
    },
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
    },
    records: (topic) => (topics.get(topic) ?? []).flatMap(({ log }) => log),
  };
}
