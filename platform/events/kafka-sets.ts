import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { handleSet } from "./handle-set.ts";
import { isMembershipError } from "./kafka-client.ts";
import { Commits } from "./kafka-commits.ts";
import { DecodedRecord } from "./kafkajs-fetch.ts";
import type { ConsumerFigures } from "./metrics.ts";
import type { OutgoingRecord, ReceivedRecord, SubscribeOptions } from "./types.ts";

export interface SetOptions {
  subscribe: SubscribeOptions;
  logger: Logger;
  publish(records: readonly OutgoingRecord[]): Promise<void>;
  /** Aborted when the subscription stops. */
  stopping: AbortSignal;
  heartbeatMs: number;
  figures: ConsumerFigures;
  /** Told after each set, and when the handler waits for what it stands on. */
  onMove(pausedBecause: string | undefined): void;
}

/** What kafkajs fetched of one partition, and how much of it went into sets. */
interface Fetched {
  payload: KafkaJs.EachBatchPayload;
  records: ReceivedRecord[];
  taken: number;
  resolve(): void;
  reject(error: unknown): void;
}

function textHeaders(headers: KafkaJs.IHeaders | undefined): Record<string, string> {
  const text: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined && last !== null) text[name] = last.toString();
  }
  return text;
}

function received({ batch }: KafkaJs.EachBatchPayload): ReceivedRecord[] {
  const { topic, partition } = batch;
  return batch.messages.map((message) => {
    const value = message.value ?? undefined;
    if (message instanceof DecodedRecord) {
      const { place: offset, textKey, textHeaders: headers } = message;
      return { topic, partition, offset, key: textKey ?? undefined, value, headers };
    }
    const headers = textHeaders(message.headers);
    return { topic, partition, offset: BigInt(message.offset), key: message.key?.toString(), value, headers };
  });
}

/** Heart-beats while a set is at hand, so that a slow handler is not taken for a dead member. */
function keepAlive(payload: KafkaJs.EachBatchPayload, everyMs: number, lost: (error: unknown) => void) {
  let beating = false;
  const timer = setInterval(() => {
    if (beating) return;
    beating = true;
    payload
      .heartbeat()
      .catch((error) => {
        if (isMembershipError(error)) lost(error); // A broker that is away is asked again with the next beat.
      })
      .finally(() => {
        beating = false;
      });
  }, everyMs);
  return { stop: () => clearInterval(timer) };
}

/**
 * kafkajs hands over one partition at a time. This gathers what has arrived of all partitions into one
 * set, and lets each partition go on when the set is handled and its offsets are on their way.
 */
export class Sets {
  readonly #options: SetOptions;
  readonly #commits: Commits;
  #waiting: Fetched[] = [];
  #running = false;

  constructor(options: SetOptions) {
    this.#options = options;
    const { logger, stopping, subscribe } = options;
    this.#commits = new Commits({ logger, stopping, group: subscribe.group });
  }

  /** Commits the offsets of all sets that were handled. */
  commit(): Promise<void> {
    return this.#commits.flush();
  }

  /** As kafkajs's eachBatch. Rejects only when the membership is lost, which makes kafkajs join again. */
  eachBatch(payload: KafkaJs.EachBatchPayload): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload, records: received(payload), taken: 0, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    await new Promise(setImmediate); // The other partitions of the same fetch arrive in this turn.
    try {
      while (this.#waiting.length > 0) {
        const goOn = !this.#options.stopping.aborted && (await this.#handleNext());
        const leaving = this.#waiting.filter(({ records, taken }) => !goOn || taken === records.length);
        this.#waiting = this.#waiting.filter((fetched) => !leaving.includes(fetched));
        for (const { resolve } of leaving) resolve();
      }
    } catch (error) {
      const leaving = this.#waiting;
      this.#waiting = [];
      for (const { reject } of leaving) reject(error);
    } finally {
      this.#running = false;
    }
  }

  /** @returns false when the set was given up. */
  async #handleNext(): Promise<boolean> {
    const { logger, publish, stopping, heartbeatMs, onMove, subscribe } = this.#options;
    const { group, handle } = subscribe;
    const first = this.#waiting[0]!.payload;
    const leaving = new AbortController();
    let lost: unknown;
    const beats = keepAlive(first, heartbeatMs, (error) => {
      lost = error;
      leaving.abort();
    });
    const giveUp = () => leaving.abort();
    stopping.addEventListener("abort", giveUp, { once: true });
    if (stopping.aborted) giveUp();
    try {
      const set = this.#nextSet();
      const done = await handleSet(set, {
        ...{ group, logger, publish, handle, signal: leaving.signal, onPause: onMove },
      });
      if (done) {
        for (const { payload, records, taken } of this.#waiting)
          if (taken > 0) payload.resolveOffset(String(records[taken - 1]!.offset));
        this.#count(set.length);
        await this.#commits.resolved(first);
        onMove(undefined);
      }
      if (lost !== undefined) throw lost;
      return done;
    } finally {
      beats.stop();
      stopping.removeEventListener("abort", giveUp);
    }
  }

  #count(messages: number): void {
    const { figures } = this.#options;
    figures.sets++;
    figures.messages += messages;
    for (const { payload, records, taken } of this.#waiting) {
      const { topic, partition, highWatermark } = payload.batch;
      const last = records[taken - 1]?.offset;
      if (last !== undefined) figures.lag.set(`${topic}:${partition}`, Number(BigInt(highWatermark) - last) - 1);
    }
  }

  #nextSet(): ReceivedRecord[] {
    const { maxMessages = 500 } = this.#options.subscribe;
    const set: ReceivedRecord[] = [];
    for (const fetched of this.#waiting) {
      if (set.length >= maxMessages) break;
      const upTo = Math.min(fetched.records.length, fetched.taken + maxMessages - set.length);
      for (; fetched.taken < upTo; fetched.taken++) set.push(fetched.records[fetched.taken]!);
    }
    return set;
  }
}
