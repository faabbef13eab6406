// Publishes and consumes the same messages, one way or the other, with a bounded number under way. Nothing
// here may load platform/events: it mends kafkajs for the whole process, and the floor is kafkajs as it comes.
import type { OutgoingRecord } from "@ferry/platform/events";
import { Histogram } from "../../driver/histogram.ts";
import type { LoopFigures } from "../closed-loop.ts";
import { serveParent } from "../serve-parent.ts";
import type { BusWay } from "./records.ts";

export type BusName = "ferry" | "kafkajs";

const WAYS: Record<BusName, () => Promise<BusWay>> = {
  ferry: () => import("./ferry.ts"),
  kafkajs: () => import("./kafkajs.ts"),
};
/** Messages published and not yet consumed. */
const MAX_UNDER_WAY = 256;
const DRAIN_TIMEOUT_MS = 10_000;

let [underWay, received, strange] = [0, 0, 0];
let wake = () => {};
let bus: Awaited<ReturnType<BusWay["open"]>> | undefined;
let sets: OutgoingRecord[][] = [];
const known = new Set<string>();

function hear(headers: Readonly<Record<string, string>>): void {
  if (!known.has(headers.ce_id ?? "")) strange++;
  received++;
  underWay--;
  wake();
}

const room = async (limit: number) => {
  while (underWay > limit)
    await new Promise<void>((go) => {
      wake = go;
    });
};

async function load({ seconds }: { seconds: number }): Promise<LoopFigures> {
  if (bus === undefined) throw new Error("the bus is not open");
  const times = new Histogram();
  const startedAt = performance.now();
  const before = received;
  let sent = 0;
  for (let index = 0; performance.now() - startedAt < seconds * 1_000; index++) {
    const set = sets[index % sets.length]!;
    await room(MAX_UNDER_WAY - set.length);
    underWay += set.length;
    sent += set.length;
    const publishedAt = performance.now();
    await bus.publish(set);
    times.add(performance.now() - publishedAt);
  }
  const late = new Promise((done) => setTimeout(done, DRAIN_TIMEOUT_MS).unref());
  await Promise.race([room(0), late]);
  const count = received - before;
  const errors = Math.abs(sent - count) + strange;
  return {
    count,
    errors,
    example: errors === 0 ? "" : `${sent} sent, ${count} received, ${strange} not ours`,
    seconds: (performance.now() - startedAt) / 1_000,
    p50Ms: times.percentile(0.5),
    p99Ms: times.percentile(0.99),
  };
}

serveParent({
  async open({
    way,
    brokers,
    topic,
    given,
  }: {
    way: BusName;
    brokers: string[];
    topic: string;
    given: OutgoingRecord[][];
  }) {
    sets = given;
    for (const { headers } of sets.flat()) known.add(headers.ce_id!);
    bus = await (await WAYS[way]()).open({ brokers, topic, received: hear });
  },
  load,
  close: () => bus?.close(),
});
