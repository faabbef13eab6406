import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../../test/support/until.ts";
import type { ProcessPlan } from "./plan.ts";
import { Supervisor } from "./supervisor.ts";

const PLAN: ProcessPlan = {
  ...{ name: "stays", entry: "local/up/testing/stays.ts", ports: [], address: "", environment: {}, stage: 0 },
  ready: { kind: "line" },
};

function supervise(context: TestContext) {
  const logDirectory = mkdtempSync(join(tmpdir(), "ferry-supervisor-"));
  const said: string[] = [];
  const givenUp: string[] = [];
  const supervisor = new Supervisor({
    ...{ logDirectory, environment: process.env, changed: () => {} },
    say: (line) => said.push(line),
    gaveUp: (name) => givenUp.push(name),
  });
  context.after(async () => {
    await supervisor.stop();
    rmSync(logDirectory, { recursive: true });
  });
  return { supervisor, said, givenUp, logDirectory };
}

test("a process that is killed is started again, and its stop ends it", async (context) => {
  const { supervisor, said } = supervise(context);
  await supervisor.start([PLAN]);
  const [stays] = supervisor.processes;
  const first = stays!.pid!;
  process.kill(first, "SIGKILL");
  const second = await until("its next life", () => (stays!.pid === first ? undefined : stays!.pid));
  assert.equal(stays!.restarts, 1);
  assert.deepEqual(said, ["stays ended (SIGKILL): starting it again in 100 ms"]);
  await supervisor.stop();
  assert.throws(() => process.kill(second, 0), { code: "ESRCH" });
  assert.equal(stays!.restarts, 1, "what is stopped stays so");
});

test("a process that the system cannot start now is tried again", async (context) => {
  const { supervisor, said } = supervise(context);
  const { execPath } = process;
  context.after(() => {
    process.execPath = execPath;
  });
  process.execPath = "/nowhere/node";
  const ready = supervisor.start([PLAN]);
  await until("a third try", () => said.length >= 2 || undefined);
  process.execPath = execPath;
  await ready;
  assert.match(said[0]!, /^stays ended \(could not be started: .*ENOENT\): starting it again in 100 ms$/);
  assert.notEqual(supervisor.processes[0]!.pid, undefined);
});

test("so is one whose log cannot be opened, until that makes no sense any more", async (context) => {
  const { supervisor, said, givenUp, logDirectory } = supervise(context);
  context.mock.timers.enable({ apis: ["setTimeout"] });
  void supervisor.start([{ ...PLAN, name: "no/such/folder" }]).catch(() => {});
  while (givenUp.length === 0) context.mock.timers.tick(5_000);
  assert.deepEqual(givenUp, ["no/such/folder"]);
  assert.match(said.at(-1)!, /ended 11 times in a row \(could not be started: .*ENOENT.*\): giving up/);
  assert.ok(said[0]!.includes(logDirectory));
});
