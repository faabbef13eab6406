import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { promisify } from "node:util";

const require = createRequire(import.meta.url);

test("the codec was measured against this release; with another, measure again whether it is still worth it", () => {
  const { version } = require("kafkajs/package.json") as { version: string };
  assert.equal(version, "2.2.4");
});

/** Counts how often an idle request queue wakes up within some time, up to a number, in a process of its own. */
async function wakeUps(load: string, withinMs: number, most: number): Promise<{ count: number; warnings: string }> {
  const script = `
    import { createRequire } from "node:module";
    ${load}
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const RequestQueue = require("kafkajs/src/network/requestQueue/index.js");
    const logger = { debug() {}, warn() {} };
    const queue = new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1000, clientId: "c", broker: "b", logger });
    let count = 0;
    const end = () => { console.log(count); process.exit(0); };
    const check = queue.checkPendingRequests;
    queue.checkPendingRequests = function () { if (++count >= ${most}) end(); return check.call(this); };
    queue.checkPendingRequests();
    setTimeout(end, ${withinMs});`;
  const args = ["--input-type=module", "-e", script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return { count: Number(stdout), warnings: stderr };
}

test("an idle connection does not wake up, and kafkajs alone still needs that mend", async () => {
  const mends = new URL("kafkajs-mends.ts", import.meta.url).href;
  const mended = await wakeUps(`import ${JSON.stringify(mends)};`, 200, 20);
  assert.equal(mended.count, 1);
  assert.doesNotMatch(mended.warnings, /TimeoutNegativeWarning/);
  const own = await wakeUps("", 10_000, 20); // As long as it takes, where the machine pauses.
  assert.equal(own.count, 20, `kafkajs alone woke up ${own.count} times: the mend of the idle loop can go`);
  assert.match(own.warnings, /TimeoutNegativeWarning/);
});

interface TimeoutChecks {
  looksOfIdle: number;
  looksOfWaiting: number;
  givenUp: string[];
}

/**
 * How often connections look for requests that are over their time, and which of them they give up: within 500 ms, or
 * what a pause of the machine adds until something holds.
 */
async function timeoutChecks(load: string, holds: string): Promise<TimeoutChecks> {
  const script = `
    import { createRequire } from "node:module";
    ${load}
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const RequestQueue = require("kafkajs/src/network/requestQueue/index.js");
    const logger = { debug() {}, warn() {} };
    class Inflight extends Map {
      looks = 0;
      forEach(...args) { this.looks++; return super.forEach(...args); }
      values() { this.looks++; return super.values(); }
    }
    const open = (requestTimeout, maxInFlightRequests = 10) => {
      const options = { maxInFlightRequests, requestTimeout, enforceRequestTimeout: true, logger };
      const queue = new RequestQueue({ ...options, clientId: "c", broker: "b" });
      queue.inflight = new Inflight();
      queue.scheduleRequestTimeoutCheck();
      return queue;
    };
    const givenUp = [];
    const send = (queue, name, requestTimeout) => {
      const entry = { correlationId: name, resolve() {}, reject: (error) => givenUp.push(name + ": " + error.name) };
      queue.push({ entry, expectResponse: true, requestTimeout, sendRequest() {} });
    };
    const idle = open(10_000);
    const waiting = open(10_000);
    send(waiting, "in time");
    const short = open(100, 1);
    send(short, "over");
    send(short, "over too");
    const again = open(100);
    again.destroy();
    again.scheduleRequestTimeoutCheck();
    send(again, "longer", 300);
    send(again, "far longer", 10_000);
    const answered = open(100);
    send(answered, "answered");
    answered.fulfillRequest({ correlationId: "answered", payload: null, size: 0 });
    const begunAtMs = performance.now();
    const report = () => {
      const [looksOfIdle, looksOfWaiting] = [idle, waiting].map(({ inflight }) => inflight.looks);
      if (!(${holds}) && performance.now() - begunAtMs < 8_000) return;
      console.log(JSON.stringify({ looksOfIdle, looksOfWaiting, givenUp: givenUp.sort() }));
      process.exit(0);
    };
    setInterval(report, 500);`;
  const args = ["--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return JSON.parse(stdout) as TimeoutChecks;
}

test("a connection looks for late requests when one may be late, and kafkajs alone still needs that mend", async () => {
  const mends = new URL("kafkajs-mends.ts", import.meta.url).href;
  const late = ["longer", "over too", "over"].map((name) => `${name}: KafkaJSRequestTimeoutError`);
  const mended = await timeoutChecks(`import ${JSON.stringify(mends)};`, "givenUp.length >= 3");
  assert.deepEqual(mended, { looksOfIdle: 0, looksOfWaiting: 0, givenUp: late });
  const { looksOfIdle } = await timeoutChecks("", "looksOfIdle >= 2");
  assert.ok(looksOfIdle >= 2, `kafkajs alone looked ${looksOfIdle} times: the mend of the time-out check can go`);
});

/** The partitions that the consumer's workers hear of, where of three the second has a message and the third a marker. */
async function fetchedPartitions(load: string): Promise<number[]> {
  const script = `
    import { createRequire } from "node:module";
    ${load}
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const ConsumerGroup = require("kafkajs/src/consumer/consumerGroup.js");
    const [topic, numbers] = ["t", [0, 1, 2]];
    const partition = (partition, messages) =>
      ({ partition, highWatermark: "1", abortedTransactions: [], messages });
    const answer = [
      partition(0, []),
      partition(1, [{ offset: "0", isControlRecord: false }]),
      partition(2, [{ offset: "0", isControlRecord: true }]),
    ];
    const broker = { fetch: async () => ({ responses: [{ topicName: topic, partitions: answer }] }) };
    const group = Object.assign(Object.create(ConsumerGroup.prototype), {
      cluster: {
        refreshMetadataIfNecessary: async () => {},
        findTopicPartitionMetadata: () => numbers.map((partitionId) => ({ partitionId, leader: 1 })),
        findBroker: async () => broker,
      },
      subscriptionState: {
        assigned: () => [{ topic, partitions: numbers }],
        active: () => [{ topic, partitions: numbers }],
        isPaused: () => false,
      },
      offsetManager: {
        resolveOffsets: async () => {},
        committedOffsets: () => ({ [topic]: { 0: "0", 1: "0", 2: "0" } }),
        nextOffset: () => "0",
      },
      seekOffset: { pop: () => undefined, has: () => false },
      partitionsPerSubscribedTopic: null,
      preferredReadReplicasPerTopicPartition: {},
    });
    console.log(JSON.stringify((await group.fetch(1)).map(({ partition }) => partition)));`;
  const args = ["--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return JSON.parse(stdout) as number[];
}

test("what a fetch found nothing in goes to no worker, and kafkajs alone still needs that mend", async () => {
  const mends = new URL("kafkajs-mends.ts", import.meta.url).href;
  assert.deepEqual(await fetchedPartitions(`import ${JSON.stringify(mends)};`), [1, 2]);
  assert.deepEqual(await fetchedPartitions(""), [0, 1, 2], "the mend of empty fetches can go");
});
