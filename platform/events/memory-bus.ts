import { type Logger, silentLogger } from "@ferry/platform/telemetry";
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
  readonly options: SubscribeOptions;
  assigned: Partition[];
  wake(): void;
  stop(): Promise<void>;
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

/** One member's loop: takes what has arrived of its partitions, hands it over, commits. */
class MemberLoop implements Member, Subscription {
  readonly options: SubscribeOptions;
  assigned: Partition[] = [];
  readonly #group: Group;
  readonly #bus: MemoryBroker;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #awake = Promise.withResolvers<void>();
  #paused: string | undefined;

  constructor(bus: MemoryBroker, group: Group, options: SubscribeOptions) {
    this.options = options;
    this.#bus = bus;
    this.#group = group;
    this.#running = this.#run();
  }

  wake(): void {
    this.#awake.resolve();
  }

  unready(): string | undefined {
    return this.#stopping.signal.aborted ? "stopped" : this.#paused;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
    this.#bus.leave(this.#group, this);
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#awake = Promise.withResolvers();
      const set = this.#take();
      if (set.size > 0) await this.#handle(set);
      else {
        await this.#awake.promise;
        await new Promise(setImmediate); // What is published at one go arrives as one set.
      }
    }
  }

  #take(): Map<Partition, ReceivedRecord[]> {
    const set = new Map<Partition, ReceivedRecord[]>();
    let room = this.options.maxMessages ?? 500;
    for (const partition of this.assigned) {
      if (room === 0 || this.#group.busy.has(partition)) continue;
      const from = this.#group.committed.get(partition) ?? 0;
      const records = partition.log.slice(from, from + room);
      room -= records.length;
      if (records.length > 0) set.set(partition, records);
    }
    return set;
  }

  async #handle(set: ReadonlyMap<Partition, ReceivedRecord[]>): Promise<void> {
    const { busy, committed, members } = this.#group;
    for (const partition of set.keys()) busy.add(partition);
    const done = await handleSet([...set.values()].flat(), {
      ...{ group: this.options.group, logger: this.#bus.logger, signal: this.#stopping.signal },
      handle: (part) => this.options.handle(part),
      publish: (records) => this.#bus.publish(records),
      onPause: (reason) => {
        this.#paused = reason;
      },
    });
    for (const [partition, records] of set) {
      busy.delete(partition);
      if (done) committed.set(partition, Number(records.at(-1)!.offset) + 1);
    }
    for (const other of members) if (other !== this) other.wake();
  }
}

class MemoryBroker {
  readonly logger: Logger;
  readonly #topics = new Map<string, Partition[]>();
  readonly #groups = new Map<string, Group>();

  constructor(logger: Logger) {
    this.logger = logger;
  }

  topicNamed(name: string, count = name.endsWith(".dlq") ? 1 : 3): Partition[] {
    let partitions = this.#topics.get(name);
    if (partitions === undefined) {
      partitions = Array.from({ length: count }, (_, number) => ({ topic: name, number, log: [] }));
      this.#topics.set(name, partitions);
    }
    return partitions;
  }

  records(topic: string): ReceivedRecord[] {
    return (this.#topics.get(topic) ?? []).flatMap(({ log }) => log);
  }

  async publish(records: readonly OutgoingRecord[]): Promise<void> {
    for (const { topic, key, value, headers } of records) {
      const partitions = this.topicNamed(topic);
      const partition = partitions[partitionOf(key, partitions.length)]!;
      const offset = BigInt(partition.log.length);
      partition.log.push({ topic, partition: partition.number, offset, key, value, headers: { ...headers } });
    }
    for (const { members } of this.#groups.values()) for (const member of members) member.wake();
  }

  join(options: SubscribeOptions): Subscription {
    const group: Group = this.#groups.get(options.group) ?? { members: [], committed: new Map(), busy: new Set() };
    this.#groups.set(options.group, group);
    const member = new MemberLoop(this, group, options);
    group.members.push(member);
    this.#assign(group);
    return member;
  }

  leave(group: Group, member: MemberLoop): void {
    const index = group.members.indexOf(member);
    if (index === -1) return;
    group.members.splice(index, 1);
    this.#assign(group);
  }

  async close(): Promise<void> {
    const members = [...this.#groups.values()].flatMap((group) => group.members);
    await Promise.all(members.map((member) => member.stop()));
  }

  #assign({ members }: Group): void {
    for (const member of members) member.assigned = [];
    for (const name of new Set(members.flatMap(({ options }) => options.topics))) {
      const takers = members.filter(({ options }) => options.topics.includes(name));
      for (const partition of this.topicNamed(name)) takers[partition.number % takers.length]?.assigned.push(partition);
    }
    for (const member of members) member.wake();
  }
}

/** The port of the bus in memory: partitions, groups, offsets, redelivery, halving and dead letters as on a broker. */
export function createMemoryBus({ logger = silentLogger }: MemoryBusOptions = {}): MemoryBus {
  const broker = new MemoryBroker(logger);
  return {
    logger,
    publish: (records) => broker.publish(records),
    subscribe: async (options) => broker.join(options),
    async ensureTopics(wanted) {
      for (const { name, partitions } of wanted) broker.topicNamed(name, partitions);
    },
    close: () => broker.close(),
    records: (topic) => broker.records(topic),
  };
}
