// F28: each process, with each thing that it stands on absent, one pair after another: it is alive all along, ready
// only when it can do its work, and needs nobody's help to become so.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBroker } from "../../local/broker/server.ts";
import { startPostgres } from "../../local/postgres/server.ts";
import { readUpConfig, type UpConfig } from "../../local/up/config.ts";
import { prepareKeys } from "../../local/up/keys.ts";
import { entryFile, type ProcessPlan, platformProcesses, portOf, SERVICE_NAMES } from "../../local/up/plan.ts";
import { findOffset, waitFor } from "../support/platform.ts";

const READY_MS = 60_000;
/** Looks that must all say "not ready" while something is absent. */
const LOOKS = 8;

interface Running {
  stop(): Promise<void>;
}

let config: UpConfig;
let plans: ReadonlyMap<string, ProcessPlan>;
const running = new Map<string, Running>();

before(async () => {
  const directory = mkdtempSync(join(tmpdir(), "ferry-order-"));
  chmodSync(directory, 0o755); // PostgreSQL may run as another user, who has to get in.
  const offset = String(await findOffset());
  config = readUpConfig({ ...process.env, FERRY_DATA_DIR: directory, FERRY_PORT_OFFSET: offset });
  await start("postgres"); // Its password is made at the first start.
  const keys = prepareKeys(directory, [...SERVICE_NAMES, "edge"], { member: undefined, notify: undefined });
  plans = new Map(platformProcesses(config, keys).map((plan) => [plan.name, plan]));
});
after(async () => {
  for (const name of [...running.keys()].reverse()) await stop(name);
  rmSync(config.dataDirectory, { recursive: true, force: true });
});

async function start(name: string): Promise<void> {
  if (running.has(name)) return;
  const directory = join(config.dataDirectory, name);
  if (name === "postgres") {
    const databases = SERVICE_NAMES.map((service) => `ferry_${service}`);
    running.set(name, await startPostgres({ directory, port: portOf(config, "postgres"), durable: false, databases }));
  } else if (name === "broker") {
    const broker = await startBroker({ directory, port: portOf(config, "broker") });
    running.set(name, { stop: () => broker.close() });
  } else running.set(name, launch(plans.get(name)!));
}

async function stop(name: string): Promise<void> {
  await running.get(name)?.stop();
  running.delete(name);
}

function launch(plan: ProcessPlan): Running & { child: ChildProcess } {
  const environment = { ...process.env, ...plan.environment };
  const child = spawn(process.execPath, [entryFile(plan)], { env: environment, stdio: "ignore" });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  return {
    child,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function statusOf({ ready }: ProcessPlan, path: string): Promise<number> {
  if (ready.kind !== "probe") throw new Error("it has no probes");
  return fetch(ready.url.replace("/readyz", path), { signal: AbortSignal.timeout(READY_MS) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );
}

async function expectNotReady(plan: ProcessPlan): Promise<void> {
  await waitFor("it to be alive", async () => (await statusOf(plan, "/livez")) === 200, READY_MS);
  for (let look = 0; look < LOOKS; look++) {
    assert.equal(await statusOf(plan, "/livez"), 200, "alive");
    assert.equal(await statusOf(plan, "/readyz"), 503, "not ready");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const NEEDS: Record<string, string[]> = {
  // It consumes nothing, and what it publishes waits in its outbox: without a broker it does all of its work.
  member: ["postgres"],
  ...Object.fromEntries(
    SERVICE_NAMES.filter((name) => name !== "member").map((name) => [name, ["postgres", "broker", "member"]]),
  ),
  edge: ["member"],
};

for (const [name, needs] of Object.entries(NEEDS))
  for (const absent of needs)
    test(`F28 ${name} before ${absent}: alive all along, ready when it can be`, async () => {
      const plan = plans.get(name)!;
      await stop(name);
      await stop(absent);
      if (absent !== "postgres" && absent !== "broker") for (const other of ["postgres", "broker"]) await start(other);
      for (const other of needs) if (other !== absent) await start(other);
      await start(name);
      const { child } = running.get(name) as ReturnType<typeof launch>;
      await expectNotReady(plan);
      if (absent === "member") for (const other of ["postgres", "broker"]) await start(other);
      await start(absent);
      await waitFor(`${name} to be ready`, async () => (await statusOf(plan, "/readyz")) === 200, READY_MS);
      assert.equal(child.exitCode, null, "it lives on");
      await stop(name);
    });
