// F6, F7 and F11: consumer groups on a real broker, with members that come and go, one that is slow, and offsets
// that are gone.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createKafkaBus, type ReceivedRecord } from "@ferry/platform/events";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { Kafka, logLevel } from "kafkajs";
import { startBroker } from "../../local/broker/server.ts";
import { waitFor } from "../support/platform.ts";

const FULL = process.env.FERRY_FAULTS_FULL !== undefined;
const REBALANCES = FULL ? 24 : 6;
const REBALANCE_EVERY_MS = FULL ? 5_000 : 700;
const KEYS = Array.from({ length: 12 }, (_, index) => `key-${index}`);

let broker: Awaited<ReturnType<typeof startBroker>>;
let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ferry-groups-"));
  broker = await startBroker({ directory, port: 0 });
});
after(async () => {
  await broker.close();
  await rm(directory, { recursive: true, force: true });
});

const open = (sessionTimeoutMs?: number) =>
  createKafkaBus({
    brokers: [`127.0.0.1:${broker.port}`],
    clientId: "groups",
    logger,
    onFatal: assert.fail,
    sessionTimeoutMs,
  });
const record = (topic: string, key: string, number: number) => ({
  ...{ topic, key, value: Buffer.from(String(number)), headers: { ce_id: `${key}:${number}` } },
});

test("F6 members come and go again and again: there is progress all along, everything is handled, in order per key", async (t) => {
  const [topic, group] = ["test.storm", "storm"];
  const bus = open();
  /** The newest number of each key that was handled, and what came before its turn. */
  const newest = new Map<string, number>();
  const early: string[] = [];
  let handled = 0;
  async function handle(set: readonly ReceivedRecord[]): Promise<void> {
    for (const { key, value } of set) {
      const number = Number(Buffer.from(value!).toString());
      const last = newest.get(key!) ?? -1;
      if (number > last + 1) early.push(`${key}:${number} after ${last}`);
      newest.set(key!, Math.max(last, number));
      handled++;
    }
  }
  let next = 0;
  let publishing = true;
  const publisher = (async () => {
    for (; publishing; next++) {
      await bus.publish(KEYS.map((key) => record(topic, key, next)));
      await pause(10);
    }
  })();
  const first = await bus.subscribe({ group, topics: [topic], handle });
  let longestStandMs = 0;
  for (let round = 0; round < REBALANCES; round++) {
    const guest = open();
    const member = await guest.subscribe({ group, topics: [topic], handle });
    const seen = handled;
    const since = Date.now();
    await waitFor("progress with two members", () => handled > seen + 20, 30_000);
    await pause(REBALANCE_EVERY_MS / 2);
    await member.stop();
    await guest.close();
    const left = handled;
    await waitFor("progress with one", () => handled > left + 20, 30_000);
    longestStandMs = Math.max(longestStandMs, Date.now() - since);
    await pause(REBALANCE_EVERY_MS / 2);
  }
  publishing = false;
  await publisher;
  await waitFor("all to be handled", () => KEYS.every((key) => newest.get(key) === next - 1));
  await first.stop();
  await bus.close();
  assert.deepEqual(early, [], "something came before what is older");
  t.diagnostic(`${handled} deliveries of ${next * KEYS.length} messages, ${REBALANCES * 2} rebalances`);
});

test("F7 a handler that takes longer than the session: no livelock, and nobody else gets its messages meanwhile", async () => {
  const [topic, group] = ["test.slow", "slow"];
  const sessionTimeoutMs = 5_000; // Beyond a pause of the machine, in which nobody's heart beats.
  const [slow, other] = [open(sessionTimeoutMs), open(sessionTimeoutMs)];
  const deliveries = new Map<string, number>();
  const handle = async (set: readonly ReceivedRecord[]) => {
    for (const { headers } of set) deliveries.set(headers.ce_id!, (deliveries.get(headers.ce_id!) ?? 0) + 1);
    await pause(sessionTimeoutMs * 1.2);
  };
  const members = [
    await slow.subscribe({ group, topics: [topic], handle, maxMessages: 5 }),
    await other.subscribe({ group, topics: [topic], handle, maxMessages: 5 }),
  ];
  await slow.publish(KEYS.map((key) => record(topic, key, 0)));
  await waitFor("all to be handled", () => deliveries.size === KEYS.length);
  for (const member of members) await member.stop();
  await slow.close();
  await other.close();
  assert.deepEqual(
    [...deliveries].filter(([, times]) => times > 1),
    [],
    "handled twice",
  );
});

test("F11 a group whose offsets are gone, and a new one, begin with the earliest message", async () => {
  const [topic, group] = ["test.anew", "anew"];
  const bus = open();
  await bus.publish(KEYS.map((key) => record(topic, key, 0)));
  let last = 0;
  async function handleAll(name: string, from: "earliest" | "where it was"): Promise<number> {
    const seen = new Set<string>();
    let deliveries = 0;
    const handle = async (set: readonly ReceivedRecord[]) => {
      deliveries += set.length;
      for (const { headers } of set) seen.add(headers.ce_id!);
    };
    const member = await bus.subscribe({ group: name, topics: [topic], handle });
    const newest = record(topic, "last", ++last);
    await bus.publish([newest]);
    // Of other partitions than the newest's there may be something still to come.
    const wanted = [newest.headers.ce_id, ...(from === "earliest" ? KEYS.map((key) => `${key}:0`) : [])];
    await waitFor(`all from ${from}`, () => wanted.every((id) => seen.has(id)));
    await member.stop();
    return deliveries;
  }
  assert.ok((await handleAll(group, "earliest")) > KEYS.length);
  assert.ok((await handleAll(group, "where it was")) < KEYS.length, "it goes on where it was");
  const admin = new Kafka({
    clientId: "groups",
    brokers: [`127.0.0.1:${broker.port}`],
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  await admin.deleteGroups([group]);
  await admin.disconnect();
  assert.ok((await handleAll(group, "earliest")) > KEYS.length, "from the earliest on");
  assert.ok((await handleAll("entirely-new", "earliest")) > KEYS.length, "from the earliest on");
  await bus.close();
});
