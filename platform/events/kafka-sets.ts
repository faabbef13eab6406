import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { handleSet, pause } from "./handle-set.ts";
import { isMembershipError } from "./kafka-client.ts";
import { DecodedRecord } from "./kafkajs-records.ts";
import type { OutgoingRecord, ReceivedRecord, SubscribeOptions } from "./types.ts";

export interface SetOptions {
  subscribe: SubscribeOptions;
  logger: Logger;
  publish(records: readonly OutgoingRecord[]): Promise<void>;
  /** Aborted when the subscription stops. */
  stopping: AbortSignal;
  heartbeatMs: number;
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
  return batch.messages.map((message) => ({
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key?.toString(),
    value: message.value ?? undefined,
    headers: message instanceof DecodedRecord ? message.textHeaders : textHeaders(message.headers),
  }));
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
 * set, and lets each partition go on when the set is handled and its offsets are committed.
 */
export function createSets({ subscribe, logger, publish, stopping, heartbeatMs, onMove }: SetOptions) {
  const { group, maxMessages = 500 } = subscribe;
  let waiting: Fetched[] = [];
  let running = false;

  function nextSet(): ReceivedRecord[] {
    const set: ReceivedRecord[] = [];
    for (const fetched of waiting) {
      if (set.length >= maxMessages) break;
      const upTo = Math.min(fetched.records.length, fetched.taken + maxMessages - set.length);
      for (; fetched.taken < upTo; fetched.taken++) set.push(fetched.records[fetched.taken]!);
    }
    return set;
  }

  /** Commits what was resolved. Tried until it works, the membership is lost, or the subscription stops. */
  async function commit(payload: KafkaJs.EachBatchPayload): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await (payload.commitOffsetsIfNecessary as (offsets: object) => Promise<void>)({});
      } catch (error) {
        if (isMembershipError(error)) throw error;
        logger.warn({ group, error: String(error), attempt }, "offsets could not be committed yet");
        if (!(await pause(attempt, stopping))) return;
      }
    }
  }

  /** @returns false when the set was given up. */
  async function handleNext(): Promise<boolean> {
    const first = waiting[0]!.payload;
    const set = nextSet();
    const leaving = new AbortController();
    let lost: unknown;
    const beats = keepAlive(first, heartbeatMs, (error) => {
      lost = error;
      leaving.abort();
    });
    const signal = AbortSignal.any([stopping, leaving.signal]);
    try {
      const done = await handleSet(set, { group, logger, publish, handle: subscribe.handle, signal, onPause: onMove });
      if (done) {
        for (const { payload, records, taken } of waiting)
          if (taken > 0) payload.resolveOffset(String(records[taken - 1]!.offset));
        await commit(first);
        onMove(undefined);
      }
      if (lost !== undefined) throw lost;
      return done;
    } finally {
      beats.stop();
    }
  }

  function release(settle: (fetched: Fetched) => void, which: (fetched: Fetched) => boolean): void {
    const leaving = waiting.filter(which);
    waiting = waiting.filter((fetched) => !which(fetched));
    for (const fetched of leaving) settle(fetched);
  }

  async function run(): Promise<void> {
    await new Promise(setImmediate); // The other partitions of the same fetch arrive in this turn.
    try {
      while (waiting.length > 0) {
        const goOn = !stopping.aborted && (await handleNext());
        release(
          ({ resolve }) => resolve(),
          ({ records, taken }) => !goOn || taken === records.length,
        );
      }
    } catch (error) {
      release(
        ({ reject }) => reject(error),
        () => true,
      );
    } finally {
      running = false;
    }
  }

  return {
    /** As kafkajs's eachBatch. Rejects only when the membership is lost, which makes kafkajs join again. */
    eachBatch(payload: KafkaJs.EachBatchPayload): Promise<void> {
      return new Promise((resolve, reject) => {
        waiting.push({ payload, records: received(payload), taken: 0, resolve, reject });
        if (running) return;
        running = true;
        void run();
      });
    },
  };
}
