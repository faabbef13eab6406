import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { entryFile, nodeArguments, type ProcessPlan } from "./plan.ts";

const READY_TIMEOUT_MS = 60_000;
const PROBE_EVERY_MS = 50;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** A process that ran so long was healthy: its next end is a first one again. */
const HEALTHY_MS = 30_000;
const MAX_FAILURES = 10;
const STOP_GRACE_MS = 3_000;
const MAX_LOG_BYTES = 50_000_000;

export interface Supervised {
  plan: ProcessPlan;
  pid: number | undefined;
  restarts: number;
}

export interface SupervisorOptions {
  logDirectory: string;
  environment: Readonly<Record<string, string | undefined>>;
  say(line: string): void;
  /** A process changed: started, ended, started again. */
  changed(): void;
  /** A process ended so often that it makes no sense to start it again. */
  gaveUp(name: string): void;
}

interface Entry extends Supervised {
  child: ChildProcess | undefined;
  failures: number;
  timer: NodeJS.Timeout | undefined;
  /** Resolved when the process, or one started in its place, prints that it is ready (see ProcessPlan.ready: "line"). */
  readonly saidReady: PromiseWithResolvers<boolean>;
}

/** Opens a process's log for appending. A log that grew large makes room first; one older is kept. */
function openLog(directory: string, name: string): number {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${name}.log`);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}

/** Starts processes, watches them, starts again what died, with backoff and a limit, and stops all in order. */
export class Supervisor {
  readonly #entries: Entry[] = [];
  readonly #options: SupervisorOptions;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get processes(): readonly Supervised[] {
    return this.#entries;
  }

  /** Starts processes side by side. Resolves when all of them are ready. @throws when one is not in time. */
  async start(plans: readonly ProcessPlan[]): Promise<void> {
    await Promise.all(
      plans.map((plan) => {
        const saidReady = Promise.withResolvers<boolean>();
        const entry: Entry = {
          plan,
          pid: undefined,
          restarts: 0,
          child: undefined,
          failures: 0,
          timer: undefined,
          saidReady,
        };
        this.#entries.push(entry);
        this.#launch(entry);
        return this.#whenReady(entry);
      }),
    );
  }

  /** Stops the processes of the highest stage first, side by side within a stage. What does not end in time is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const stages = [...new Set(this.#entries.map(({ plan }) => plan.stage))].sort((a, b) => b - a);
    for (const stage of stages)
      await Promise.all(this.#entries.filter(({ plan }) => plan.stage === stage).map((entry) => this.#end(entry)));
  }

  #launch(entry: Entry): void {
    let child: ChildProcess;
    try {
      child = this.#spawn(entry.plan);
    } catch (error) {
      this.#ended(entry, 0, `could not be started: ${String(error)}`);
      return;
    }
    entry.child = child;
    entry.pid = child.pid;
    const startedAt = performance.now();
    child.once("error", (error) => {
      // What could not be started does not end either.
      if (child.pid === undefined) this.#ended(entry, 0, `could not be started: ${error.message}`);
      else this.#options.say(`${entry.plan.name}: ${error.message}`);
    });
    child.once("exit", (code, signal) => this.#ended(entry, performance.now() - startedAt, signal ?? `code ${code}`));
    this.#options.changed();
    if (!child.stdout) return; // Null when it goes to the log, undefined when there was no descriptor left to start it.
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes('"ready":true')) entry.saidReady.resolve(true);
    });
  }

  /** @throws when the system has no room for the process or its log. Some such errors are an event of what is returned. */
  #spawn(plan: ProcessPlan): ChildProcess {
    const log = openLog(this.#options.logDirectory, plan.name);
    try {
      // A session of its own, so that Ctrl-C in a terminal reaches only the launcher, which stops all in order;
      // the IPC channel ends with the launcher, so that nothing outlives it.
      return spawn(process.execPath, [...nodeArguments(plan.name), entryFile(plan)], {
        detached: true,
        env: { ...this.#options.environment, ...plan.environment },
        stdio: ["ignore", plan.ready.kind === "line" ? "pipe" : log, log, "ipc"],
      });
    } finally {
      closeSync(log);
    }
  }

  #ended(entry: Entry, ranMs: number, how: string): void {
    entry.child = undefined;
    entry.pid = undefined;
    if (this.#stopping) return;
    entry.failures = ranMs > HEALTHY_MS ? 1 : entry.failures + 1;
    if (entry.failures > MAX_FAILURES) {
      this.#options.say(`${entry.plan.name} ended ${entry.failures} times in a row (${how}): giving up`);
      this.#options.gaveUp(entry.plan.name);
      return;
    }
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (entry.failures - 1), MAX_BACKOFF_MS);
    this.#options.say(`${entry.plan.name} ended (${how}): starting it again in ${backoffMs} ms`);
    entry.timer = setTimeout(() => {
      entry.restarts++;
      this.#launch(entry);
    }, backoffMs);
    this.#options.changed();
  }

  async #whenReady({ plan, saidReady }: Entry): Promise<void> {
    const until = Date.now() + READY_TIMEOUT_MS;
    if (plan.ready.kind === "line") {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(resolve, READY_TIMEOUT_MS, false);
      });
      const ready = await Promise.race([saidReady.promise, late]);
      clearTimeout(timer);
      if (!ready) throw new Error(`${plan.name} was not ready within ${READY_TIMEOUT_MS} ms; see its log`);
      return;
    }
    while (Date.now() < until && !this.#stopping) {
      if (await answersReady(plan.ready.url)) return;
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
    }
    if (!this.#stopping) throw new Error(`${plan.name} was not ready within ${READY_TIMEOUT_MS} ms; see its log`);
  }

  async #end(entry: Entry): Promise<void> {
    clearTimeout(entry.timer);
    const { child } = entry;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const impatience = setTimeout(() => {
      this.#options.say(`${entry.plan.name} did not stop within ${STOP_GRACE_MS} ms: killed`);
      child.kill("SIGKILL");
    }, STOP_GRACE_MS);
    await ended;
    clearTimeout(impatience);
  }
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
