import { FerryError } from "@ferry/platform/errors";
import type { Bus, OutgoingRecord, ReceivedRecord, SubscribeOptions, Subscription } from "@ferry/platform/events";
import type { Logger } from "@ferry/platform/telemetry";
import type { Clockwork, Life } from "./clockwork.ts";
import { type Group, Member, type Partition, TRAVEL_MS } from "./consumer.ts";
import type { Faults } from "./faults.ts";

const GIVEN_UP_MS: readonly [number, number] = [200, 2_000];
const LATE_MS: readonly [number, number] = [300, 8_000];
/** How far offsets go back; and how often all may come again. */
const FURTHEST_BACK = 20;
const TO_THE_BEGINNING_SHARE = 0.1;
const AWAY_MS: readonly [number, number] = [500, 8_000];
const SESSION_MS: readonly [number, number] = [500, 6_000];

export interface BrokerOptions {
  clockwork: Clockwork;
  faults: Faults;
  /** For the check of the checks: takes a message, says so, and loses it. */
  loses?(record: OutgoingRecord): boolean;
}

function partitionOf(key: string, count: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) >>> 0;
  return hash % count;
}

/** A broker with Kafka's promises and no others, under the clockwork. It outlives all who talk to it. */
export class Broker {
  readonly clockwork: Clockwork;
  readonly faults: Faults;
  readonly #loses: (record: OutgoingRecord) => boolean;
  readonly #topics = new Map<string, Partition[]>();
  readonly #groups = new Map<string, Group>();
  /** When each producer's last request arrives: one request at a time keeps the order per key. */
  readonly #busyUntilMs = new WeakMap<Life, number>();
  #awayUntilMs = 0;

  constructor({ clockwork, faults, loses = () => false }: BrokerOptions) {
    this.clockwork = clockwork;
    this.faults = faults;
    this.#loses = loses;
  }

  get isAway(): boolean {
    return this.clockwork.elapsedMs < this.#awayUntilMs;
  }

  later(range: readonly [number, number], what: string, run: () => unknown, life: Life): void {
    this.clockwork.after(this.clockwork.chance.between(...range), what, run, { life });
  }

  /** The port of the bus for one life of a component. */
  busFor(life: Life, logger: Logger): Bus {
    return {
      logger,
      publish: (records) => this.publish(life, records),
      subscribe: async (options) => this.#join(options, logger),
      ensureTopics: async (topics) => {
        for (const { name, partitions } of topics) this.#topic(name, partitions);
      },
      close: async () => {},
    };
  }

  publish(life: Life, records: readonly OutgoingRecord[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { clockwork } = this;
    const travelMs = Math.max(
      clockwork.chance.between(...TRAVEL_MS),
      (this.#busyUntilMs.get(life) ?? 0) - clockwork.elapsedMs,
    );
    this.#busyUntilMs.set(life, clockwork.elapsedMs + travelMs);
    const copies = records.map((record) => ({ ...record, headers: { ...record.headers } }));
    const what = `${copies.length} messages to the broker, as ${copies[0]?.headers.ce_type ?? "none"}`;
    // On the wire a request outlives its sender.
    clockwork.after(travelMs, what, () => this.#take(life, copies, resolve, reject), { life: clockwork.world });
    return promise;
  }

  #take(life: Life, records: readonly OutgoingRecord[], resolve: () => void, reject: (error: Error) => void): void {
    if (this.#accept(life, records)) this.later(TRAVEL_MS, "acknowledgement of the broker", resolve, life);
    else {
      const error = new FerryError("UNAVAILABLE", "the broker did not acknowledge");
      this.later(GIVEN_UP_MS, "no acknowledgement", () => reject(error), life);
    }
  }

  /** Takes messages, or a part of them, or none. @returns whether their sender hears of it. */
  #accept(life: Life, records: readonly OutgoingRecord[]): boolean {
    const { faults, clockwork } = this;
    if (faults.bites("broker away", life)) this.#goAway();
    if (this.isAway || faults.bites("message not taken by the broker", life)) return false;
    if (faults.bites("messages taken late, after an error", life)) {
      this.later(LATE_MS, "late messages to the broker", () => this.#append(records), clockwork.world);
      return false;
    }
    if (records.length > 1 && faults.bites("messages taken in part", life)) {
      const refused = clockwork.chance.whole(0, 2); // A request has a part for each partition, and each fares for itself.
      this.#append(records.filter(({ key }) => partitionOf(key, 3) !== refused));
      return false;
    }
    this.#append(records);
    return !faults.bites("acknowledgement of the broker lost", life);
  }

  #goAway(): void {
    const { chance, elapsedMs } = this.clockwork;
    const awayMs = chance.between(...AWAY_MS);
    this.#awayUntilMs = elapsedMs + awayMs;
    this.later([awayMs, awayMs + 10], "the broker is back", () => this.#wakeAll(), this.clockwork.world);
  }

  /** Faults are over. */
  comeBack(): void {
    this.#awayUntilMs = 0;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const { members } of this.#groups.values()) for (const member of members) member.wake();
  }

  #append(records: readonly OutgoingRecord[]): void {
    for (const record of records) {
      if (this.#loses(record)) continue;
      const { topic, key, value, headers } = record;
      const partitions = this.#topic(topic);
      const partition = partitions[partitionOf(key, partitions.length)]!;
      const offset = BigInt(partition.log.length);
      partition.log.push({ topic, partition: partition.number, offset, key, value, headers });
    }
    this.#wakeAll();
  }

  #topic(name: string, count = name.endsWith(".dlq") ? 1 : 3): Partition[] {
    let partitions = this.#topics.get(name);
    if (partitions === undefined) {
      partitions = Array.from({ length: count }, (_, number) => ({ topic: name, number, log: [] }));
      this.#topics.set(name, partitions);
    }
    return partitions;
  }

  partitionAt({ topic, partition }: ReceivedRecord): Partition {
    return this.#topic(topic)[partition]!;
  }

  #join(options: SubscribeOptions, logger: Logger): Subscription {
    const known = this.#groups.get(options.group);
    const group: Group = known ?? { name: options.group, members: [], generation: 0, committed: new Map() };
    this.#groups.set(group.name, group);
    const member = new Member(this, group, options, logger);
    group.members.push(member);
    // Who crashed is missed after a while, or when the next one joins.
    member.life.atDeath.push(() =>
      this.later(SESSION_MS, `session of ${group.name} is over`, () => this.#rebalance(group), this.clockwork.world),
    );
    this.#rebalance(group);
    return member;
  }

  leave(group: Group, member: Member): void {
    group.members.splice(group.members.indexOf(member), 1);
    this.#rebalance(group);
  }

  /** Gives the partitions out anew. Everybody goes on from what was committed. */
  #rebalance(group: Group): void {
    group.generation++;
    group.members = group.members.filter(({ life }) => life.alive);
    for (const member of group.members) {
      member.assigned = [];
      member.positions.clear();
    }
    for (const name of new Set(group.members.flatMap(({ options }) => options.topics))) {
      const takers = group.members.filter(({ options }) => options.topics.includes(name));
      for (const partition of this.#topic(name)) takers[partition.number % takers.length]?.assigned.push(partition);
    }
    for (const member of group.members) member.wake();
  }

  /** What may happen to a group at any time. */
  disturb(life: Life): void {
    const { chance } = this.clockwork;
    if (this.#groups.size === 0) return;
    const rebalanced = this.faults.bites("rebalance", life);
    const rewound = this.faults.bites("offsets wound back", life);
    if (!rebalanced && !rewound) return;
    const group = chance.pick([...this.#groups.values()]);
    const furthest = chance.hits(TO_THE_BEGINNING_SHARE) ? Number.MAX_SAFE_INTEGER : FURTHEST_BACK;
    if (rewound)
      for (const [partition, offset] of group.committed)
        group.committed.set(partition, Math.max(0, offset - chance.whole(0, furthest)));
    this.#rebalance(group);
  }

  records(topic: string): readonly ReceivedRecord[] {
    return (this.#topics.get(topic) ?? []).flatMap(({ log }) => log);
  }

  deadLetters(): ReceivedRecord[] {
    return [...this.#topics.keys()].filter((name) => name.endsWith(".dlq")).flatMap((name) => [...this.records(name)]);
  }

  /** Messages that have not been committed, by group; groups without any are left out. */
  lag(): Record<string, number> {
    const lags: Record<string, number> = {};
    for (const { name, members, committed } of this.#groups.values())
      for (const partition of new Set(members.flatMap(({ assigned }) => assigned))) {
        const lag = partition.log.length - (committed.get(partition) ?? 0);
        if (lag > 0) lags[name] = (lags[name] ?? 0) + lag;
      }
    return lags;
  }
}
