import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { runCommand, startChild } from "./child.ts";

const signal = new AbortController().signal;
const WAIT_LIMIT_MS = 10_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function waitUntilGone(pid: number): Promise<void> {
  const until = Date.now() + WAIT_LIMIT_MS;
  while (isAlive(pid)) {
    assert.ok(Date.now() < until, `process ${pid} is still there`);
    await pause(20);
  }
}

const shell = (script: string) => ({ what: "the script", command: "/bin/sh", args: ["-c", script] });

test("a command that succeeds says nothing; one that fails gives its errors", async () => {
  await runCommand({ ...shell("echo error"), limitMs: WAIT_LIMIT_MS, signal });
  const failing = { ...shell("echo one; echo 'error two'; echo three; exit 3"), limitMs: WAIT_LIMIT_MS, signal };
  await assert.rejects(runCommand(failing), /^Error: the script failed \(code 3\): error two$/);
  const silent = { ...shell("exit 4"), limitMs: WAIT_LIMIT_MS, signal };
  await assert.rejects(runCommand(silent), /^Error: the script failed \(code 4\)$/);
});

test("a command that takes too long is ended and says so", async () => {
  await assert.rejects(runCommand({ ...shell("sleep 600"), limitMs: 50, signal }), /took longer than 0.05 s/);
});

test("an abort ends a command with the signal's reason", async () => {
  const interrupt = new AbortController();
  const running = runCommand({ ...shell("sleep 600"), limitMs: WAIT_LIMIT_MS, signal: interrupt.signal });
  interrupt.abort(new Error("SIGINT"));
  await assert.rejects(running, /^Error: SIGINT$/);
});

test("what a child started ends with it", async () => {
  const child = startChild(shell("sleep 600 & echo $!; wait"));
  const [printed] = await once(child.process.stdout!, "data");
  const grandchild = Number(printed);
  assert.ok(isAlive(grandchild));
  await child.stop();
  await waitUntilGone(grandchild);
});

test("a child ends when we are killed", async () => {
  const script = `const { startChild } = await import(${JSON.stringify(import.meta.resolve("./child.ts"))});
    console.log(startChild({ command: "sleep", args: ["600"] }).pid);`;
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", script]);
  const [printed] = await once(parent.stdout, "data");
  const child = Number(printed);
  assert.ok(isAlive(child));
  parent.kill("SIGKILL");
  await waitUntilGone(child);
});
