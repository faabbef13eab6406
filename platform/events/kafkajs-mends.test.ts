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
