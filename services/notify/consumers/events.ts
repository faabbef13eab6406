import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { type Bus, header, type ReceivedRecord, readHeaders, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { MemberEvent } from "../app/record-events.ts";
import type { EventType } from "./event-types.ts";

/**
 * Sets are taken at most so often. Most events are of members without an endpoint, and cost what their fetch
 * costs: few large sets cost a tenth of many small ones, and a webhook may come this much later.
 */
const BETWEEN_SETS_MS = 250;

export interface EventsDeps {
  bus: Bus;
  types: ReadonlyMap<string, EventType>;
  /** Which of these members have an endpoint. */
  findSubscribed(memberIds: readonly string[]): Promise<ReadonlySet<string>>;
  record(events: readonly MemberEvent[]): Promise<void>;
}

/** Hears all events and hands on those of members who have an endpoint. The others are not even decoded. */
export function createEvents({ bus, types, findSubscribed, record }: EventsDeps): Component {
  const stopping = new AbortController();
  let subscription: Subscription | undefined;
  let nextSetAtMs = 0;

  async function handle(set: readonly ReceivedRecord[]): Promise<void> {
    await rest();
    const events = set.flatMap((received) => {
      const type = types.get(received.headers[header.type] ?? "");
      if (type === undefined) return [];
      if (received.value === undefined) throw new Error("message has no value");
      return [{ type, received, bytes: received.value, memberId: type.memberIdOf(received.value) }];
    });
    const members = new Set(events.map(({ memberId }) => memberId));
    if (members.size === 0) return;
    const subscribed = await findSubscribed([...members]);
    if (subscribed.size === 0) return;
    await record(
      events
        .filter(({ memberId }) => subscribed.has(memberId))
        .map(({ type, received, bytes }) => {
          const { id } = readHeaders(received.headers);
          const time = new Date(received.headers[header.time] ?? Number.NaN);
          if (Number.isNaN(time.getTime())) throw new Error(`header ${header.time} is no RFC 3339 time`);
          return type.read(bytes, { id, time });
        }),
    );
  }

  /** By the clock that only goes on: one that is set back would be waited for. */
  async function rest(): Promise<void> {
    const nowMs = performance.now();
    const waitMs = nextSetAtMs - nowMs;
    nextSetAtMs = Math.max(nowMs, nextSetAtMs) + BETWEEN_SETS_MS;
    if (waitMs > 0) await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => {});
  }

  return {
    name: "events",
    async start() {
      const topics = [...new Set([...types.values()].map(({ topic }) => topic))];
      await bus.ensureTopics(topics.map((name) => ({ name })));
      subscription = await bus.subscribe({ group: "notify", topics, handle, maxMessages: 2_000 });
    },
    async stop() {
      stopping.abort();
      await subscription?.stop();
    },
    unready: () => subscription?.unready(),
  };
}
