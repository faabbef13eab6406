import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

/** A part that waits in its start until its stop takes from it what it waits for, behind one that is there. */
const PROGRAM = `
import { silentLogger } from "@ferry/platform/telemetry";
import { runProcess } from "./process.ts";
const turn = () => new Promise((resolve) => setImmediate(resolve));
const broker = Promise.withResolvers();
const there = { name: "there", stop: async () => { await turn(); console.log("there: stopped"); } };
const waits = {
  name: "waits",
  start: () => { console.log("waits: begun"); return broker.promise; },
  stop: async () => { broker.reject(new Error("the bus is closed")); await turn(); },
};
await runProcess({
  logger: silentLogger,
  build: { service: "test", version: "1", commit: "c", buildTime: "2026-01-02T03:04:05Z" },
  probePort: 0,
  components: [there, waits],
});
`;

test("a stop that ends a part's wait for its start stops the other parts in order, and the process ends well", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const ended = once(child, "close");
  const begun = new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("waits: begun")) resolve();
    });
  });
  await Promise.race([begun, ended]);
  child.kill("SIGTERM");
  const [code] = await ended;
  assert.deepEqual([output.split("\n"), code], [["waits: begun", "there: stopped", ""], 0]);
});
