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

/** Counts how often an idle request queue wakes up within 200 ms, in a process of its own. */
async function wakeUps(load: string): Promise<{ count: number; warnings: string }> {
  const script = `
    import { createRequire } from "node:module";
    ${load}
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const RequestQueue = require("kafkajs/src/network/requestQueue/index.js");
    const logger = { debug() {}, warn() {} };
    const queue = new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1000, clientId: "c", broker: "b", logger });
    let count = 0;
    const check = queue.checkPendingRequests;
    queue.checkPendingRequests = function () { count++; return check.call(this); };
    queue.checkPendingRequests();
    setTimeout(() => { console.log(count); process.exit(0); }, 200);`;
  const args = ["--input-type=module", "-e", script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return { count: Number(stdout), warnings: stderr };
}

test("an idle connection does not wake up, and kafkajs alone still needs that mend", async () => {
  const mends = new URL("kafkajs-mends.ts", import.meta.url).href;
  const mended = await wakeUps(`import ${JSON.stringify(mends)};`);
  assert.equal(mended.count, 1);
  assert.doesNotMatch(mended.warnings, /TimeoutNegativeWarning/);
  const own = await wakeUps("");
  assert.ok(own.count > 10, `kafkajs alone woke up ${own.count} times: the mend of the idle loop can go`);
  assert.match(own.warnings, /TimeoutNegativeWarning/);
});

/** How often a connection looks for requests that are over their time, within 350 ms, and which it then gives up. */
async function timeoutChecks(load: string): Promise<{ looks: number; givenUp: string[] }> {
  const script = `
    import { createRequire } from "node:module";
    ${load}
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const RequestQueue = require("kafkajs/src/network/requestQueue/index.js");
    const logger = { debug() {}, warn() {} };
    const options = { maxInFlightRequests: 1, clientId: "c", broker: "b", logger, isConnected: () => true };
    const queue = new RequestQueue({ ...options, requestTimeout: 10_000, enforceRequestTimeout: true });
    let looks = 0;
    class Inflight extends Map {
      forEach(...args) { looks++; return super.forEach(...args); }
      values() { looks++; return super.values(); }
    }
    queue.inflight = new Inflight();
    queue.scheduleRequestTimeoutCheck();
    const givenUp = [];
    const late = new RequestQueue({ ...options, requestTimeout: 100, enforceRequestTimeout: true });
    const request = (name, agoMs) => ({ sentAt: Date.now() - agoMs, requestTimeout: 5_000, timeoutRequest: () => givenUp.push(name) });
    late.inflight.set(1, request("over", 6_000));
    late.inflight.set(2, request("in time", 0));
    late.scheduleRequestTimeoutCheck();
    setTimeout(() => { console.log(JSON.stringify({ looks, givenUp: [...new Set(givenUp)] })); process.exit(0); }, 350);`;
  const args = ["--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return JSON.parse(stdout) as { looks: number; givenUp: string[] };
}

test("a connection looks for late requests once a second, and kafkajs alone still needs that mend", async () => {
  const mends = new URL("kafkajs-mends.ts", import.meta.url).href;
  assert.deepEqual(await timeoutChecks(`import ${JSON.stringify(mends)};`), { looks: 0, givenUp: ["over"] });
  const own = await timeoutChecks("");
  assert.ok(own.looks >= 2, `kafkajs alone looked ${own.looks} times: the mend of the time-out check can go`);
  assert.deepEqual(own.givenUp, ["over"]);
});
