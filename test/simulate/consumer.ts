import type { OutgoingRecord, ReceivedRecord, SubscribeOptions, Subscription } from "@ferry/platform/events";
import type { Logger } from "@ferry/platform/telemetry";
import { handleSet } from "../../platform/events/handle-set.ts";
import type { Clockwork, Life } from "./clockwork.ts";
import type { Faults } from "./faults.ts";

export const TRAVEL_MS: readonly [number, number] = [0.2, 3];
const COMMIT_MS: readonly [number, number] = [1, 500];
/** How often a set is as large as can be; the others are cut anywhere. */
const WHOLE_SHARE = 0.6;
const ABSENT_SHARE = 0.15;

/** A part of a topic: order is kept within. */
export interface Partition {
  topic: string;
  number: number;
  log: ReceivedRecord[];
}

/** Who reads topics together. */
export interface Group {
  name: string;
  members: Member[];
  /** Rises with each rebalance: what was read before it cannot be committed any more. */
  generation: number;
  committed: Map<Partition, number>;
}

/** What a consumer needs of its broker. */
export interface BrokerSide {
  readonly clockwork: Clockwork;
  readonly faults: Faults;
  readonly isAway: boolean;
  later(range: readonly [number, number], what: string, run: () => unknown, life: Life): void;
  publish(life: Life, records: readonly OutgoingRecord[]): Promise<void>;
  partitionAt(record: ReceivedRecord): Partition;
  leave(group: Group, member: Member): void;
}

/** A consumer of a group, within one life of a component. */
export class Member implements Subscription {
  readonly options: SubscribeOptions;
  readonly life: Life;
  assigned: Partition[] = [];
  readonly positions = new Map<Partition, number>();
  readonly #broker: BrokerSide;
  readonly #group: Group;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  #busy = false;
  #polling = false;
  #idle = Promise.withResolvers<void>();

  constructor(broker: BrokerSide, group: Group, options: SubscribeOptions, logger: Logger) {
    this.options = options;
    this.life = broker.clockwork.life;
    this.#broker = broker;
    this.#group = group;
    this.#logger = logger;
  }

  unready(): string | undefined {
    return undefined;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#busy) await this.#idle.promise;
    this.#commit(this.#group.generation);
    this.#broker.leave(this.#group, this);
  }

  /** Looks for messages soon. */
  wake(): void {
    if (this.#polling || this.#busy || this.#stopping.signal.aborted) return;
    this.#polling = true;
    this.#broker.later(TRAVEL_MS, `poll ${this.#group.name}`, () => this.#poll(), this.life);
  }

  #poll(): void {
    this.#polling = false;
    if (this.#busy || this.#stopping.signal.aborted) return;
    if (this.#broker.isAway) return;
    const set = this.#take();
    if (set.length === 0) {
      if (this.#lag > 0) this.wake();
      return;
    }
    this.#broker.clockwork.note(`set of ${set.length} for ${this.#group.name}`);
    this.#busy = true;
    this.#idle = Promise.withResolvers();
    void this.#handle(set);
  }

  get #lag(): number {
    return this.assigned.reduce((sum, partition) => sum + partition.log.length - this.#positionOf(partition), 0);
  }

  #positionOf(partition: Partition): number {
    return this.positions.get(partition) ?? this.#group.committed.get(partition) ?? 0;
  }

  /** What has arrived, of some partitions, in order per partition, cut anywhere. */
  #take(): ReceivedRecord[] {
    const { chance } = this.#broker.clockwork;
    const set: ReceivedRecord[] = [];
    const { maxMessages = 500 } = this.options;
    for (const partition of this.assigned) {
      const from = this.#positionOf(partition);
      const available = Math.min(partition.log.length - from, maxMessages - set.length);
      if (available <= 0 || chance.hits(ABSENT_SHARE)) continue;
      const count = chance.hits(WHOLE_SHARE) ? available : chance.whole(1, available);
      set.push(...partition.log.slice(from, from + count));
    }
    return set;
  }

  async #handle(set: readonly ReceivedRecord[]): Promise<void> {
    const { generation, name } = this.#group;
    const done = await handleSet(set, {
      ...{ group: name, logger: this.#logger, signal: this.#stopping.signal },
      handle: (part) => this.options.handle(part),
      publish: (records) => this.#broker.publish(this.life, records),
    });
    this.#busy = false;
    if (done && generation === this.#group.generation) {
      for (const record of set) this.positions.set(this.#broker.partitionAt(record), Number(record.offset) + 1);
      this.#commitSoon();
    }
    this.#idle.resolve();
    this.wake();
  }

  #commitSoon(): void {
    const { generation, name } = this.#group;
    this.#broker.later(COMMIT_MS, `commit offsets of ${name}`, () => this.#commit(generation), this.life);
  }

  #commit(generation: number): void {
    if (generation !== this.#group.generation) return;
    if (this.#broker.isAway || this.#broker.faults.bites("offset commit lost", this.life)) {
      this.#commitSoon();
      return;
    }
    for (const [partition, position] of this.positions) this.#group.committed.set(partition, position);
  }
}
