// Second replicas of a platform's services: processes as the launcher starts them, on the same ports of another
// address of loopback.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { compileCacheDirectory } from "../../local/up/compile-cache.ts";
import { readUpConfig } from "../../local/up/config.ts";
import { prepareKeys } from "../../local/up/keys.ts";
import {
  entryFile,
  nodeArguments,
  type ProcessPlan,
  platformProcesses,
  SERVICE_NAMES,
  type ServiceName,
} from "../../local/up/plan.ts";
import { type Platform, waitFor } from "./platform.ts";

export const SECOND_HOST = "127.0.0.2";
const READY_MS = 60_000;

export class SecondReplicas {
  readonly #platform: Platform;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #plans: ReadonlyMap<string, ProcessPlan>;
  readonly #children = new Map<ServiceName, ChildProcess>();

  /** @param environment Variables for each of them, over those of the launcher; undefined takes one away. */
  constructor(platform: Platform, environment: NodeJS.ProcessEnv = {}) {
    const all = { ...process.env, ...platform.environment, ...environment };
    const config = readUpConfig(all);
    const secrets = { member: all.FERRY_MEMBER_KEY_SECRET, notify: all.FERRY_NOTIFY_KEY_SECRET };
    const keys = prepareKeys(config.dataDirectory, [...SERVICE_NAMES, "edge"], secrets);
    this.#platform = platform;
    this.#environment = { NODE_COMPILE_CACHE: compileCacheDirectory, ...all };
    this.#plans = new Map(platformProcesses(config, keys).map((plan) => [plan.name, plan]));
  }

  /** Resolves when it is ready. */
  async start(name: ServiceName): Promise<void> {
    const plan = this.#plans.get(name)!;
    const log = openSync(join(this.#platform.dataDirectory, "logs", `${name}-2.log`), "a");
    // As the launcher does it: in a session of its own, with a channel that ends with this process, so that nothing
    // outlives it.
    const child = spawn(process.execPath, [...nodeArguments(name), entryFile(plan)], {
      env: { ...this.#environment, ...plan.environment, FERRY_HOST: SECOND_HOST },
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    this.#children.set(name, child);
    await waitFor(
      `the second ${name} to be ready`,
      async () => {
        if (child.exitCode !== null)
          throw new Error(`the second ${name} ended with code ${child.exitCode}: see its log`);
        return (await this.probe(name, "/readyz"))?.ok;
      },
      READY_MS,
    );
  }

  /** Asks a probe, as "/metrics"; undefined when nobody answers. */
  async probe(name: ServiceName, path: string): Promise<{ ok: boolean; text: string } | undefined> {
    const port = Number(this.#plans.get(name)!.address.split(":")[1]) + 1_000;
    return fetch(`http://${SECOND_HOST}:${port}${path}`, { signal: AbortSignal.timeout(1_000) }).then(
      async (response) => ({ ok: response.ok, text: await response.text() }),
      () => undefined,
    );
  }

  /** Stops it by SIGTERM. @returns its exit code. */
  async stop(name: ServiceName): Promise<number | null> {
    const child = this.#children.get(name)!;
    this.#children.delete(name);
    const ended = new Promise<number | null>((done) => child.once("exit", done));
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill("SIGTERM");
    return ended;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((name) => this.stop(name)));
  }
}
