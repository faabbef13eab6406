// A platform under the load of many clients, to which a fault is done: what must hold afterwards is the same for all.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openSources } from "../books/sources.ts";
import { Clients } from "../prove/matrix/clients.ts";
import { Journal } from "../prove/matrix/journal.ts";
import { isReady } from "../prove/matrix/killer.ts";
import { Load } from "../prove/matrix/load.ts";
import { comeToRest } from "../prove/matrix/rest.ts";
import { verify } from "../prove/matrix/verify.ts";
import { createRandom, type Random } from "../prove/random.ts";
import { type Detours, detoursEnvironment } from "../support/detours/detours.ts";
import { FailpointControl } from "../support/failpoints/control.ts";
import { Platform, waitFor } from "../support/platform.ts";

/** A window proves something only when so much was done in it. */
const LEAST_OPERATIONS = 500;
const CALLERS = 64;
const RATE_PER_SECOND = 120;
const HOT = 8;
const COLD = 100;
const REST_MS = 60_000;
const WARM_OPERATIONS = 60;
const PATIENCE_MS = 120_000;

/** Whether faults last as long as they are meant to, as `npm run prove -- --full` wants it. */
export const FULL = process.env.FERRY_FAULTS_FULL !== undefined;
/** Whether there is time for more than one of each, as in `npm run prove`. */
export const HOUR = process.env.FERRY_FAULTS_HOUR !== undefined;

/**
 * How long banking waits for the bank. A payment that the bank leaves without an answer three times over is the last to
 * end after a fault: in the daily form it need not take 2 s each time, as it does in local mode.
 */
const BANK_TIMEOUT: Record<string, string> = FULL || HOUR ? {} : { FERRY_BANK_TIMEOUT_MS: "500" };

export interface GroundOptions {
  /** Of the platform's ports: see PlatformOptions. */
  offset?: number;
  /** Ways that its processes take to each other. */
  detours?: Detours;
  /** More variables for the launcher. */
  environment?: Record<string, string>;
}

export class ProvingGround {
  readonly platform: Platform;
  readonly control: FailpointControl;
  readonly clients: Clients;
  readonly random: Random;
  readonly #journal: Journal;

  private constructor(parts: {
    platform: Platform;
    control: FailpointControl;
    clients: Clients;
    journal: Journal;
    random: Random;
  }) {
    this.platform = parts.platform;
    this.control = parts.control;
    this.clients = parts.clients;
    this.random = parts.random;
    this.#journal = parts.journal;
  }

  static async open({ offset, detours = {}, environment = {} }: GroundOptions = {}): Promise<ProvingGround> {
    const random = createRandom(Number(process.env.FERRY_FAULTS_SEED ?? 1));
    const control = await FailpointControl.open();
    const ways = detoursEnvironment(detours);
    const hooks = `${control.environment.NODE_OPTIONS} ${ways.NODE_OPTIONS}`;
    const platform = await Platform.start({
      environment: { ...control.environment, ...ways, NODE_OPTIONS: hooks, ...BANK_TIMEOUT, ...environment },
      ...(offset === undefined ? {} : { offset }),
    });
    const journal = new Journal(join(control.directory, "journal.jsonl"));
    const clients = new Clients({ edgeUrl: platform.edge, journal, random: random.fork("clients") });
    await clients.setUp(HOT, COLD);
    return new ProvingGround({ platform, control, clients, journal, random });
  }

  async close(): Promise<void> {
    await this.platform.stop();
    await this.#journal.close();
    this.control.close();
  }

  pidOf(name: string): number {
    const pid = this.platform.readUpFile().processes.find((process) => process.name === name)?.pid;
    if (pid === undefined || pid === null) throw new Error(`${name} is not running`);
    return pid;
  }

  /** Process ids of all services and the edge. */
  servicePids(): Record<string, number> {
    return Object.fromEntries([...this.control.points.keys()].sort().map((name) => [name, this.pidOf(name)]));
  }

  async allReady(timeoutMs: number): Promise<void> {
    for (const name of this.control.points.keys())
      await waitFor(`${name} to be ready`, () => isReady(this.platform, name), timeoutMs);
  }

  /**
   * Does the fault under load, lets it pass, and looks whether everything ends and every invariant holds.
   *
   * @param ratePerSecond Operations that are begun in a second. Default 120.
   * @returns how long everything took to end after the load, and how much was done, for the report.
   */
  async under(fault: (load: Load) => Promise<void>, ratePerSecond = RATE_PER_SECOND): Promise<string> {
    await this.clients.logInAgain();
    const load = new Load({
      ...{ clients: this.clients, random: this.random.fork("load"), callers: CALLERS, ratePerSecond },
    });
    try {
      await waitFor("the load to run", () => load.recorded >= WARM_OPERATIONS, PATIENCE_MS);
      await fault(load);
      await waitFor("enough operations", () => load.recorded >= LEAST_OPERATIONS, PATIENCE_MS);
    } finally {
      await load.stop();
    }
    assert.equal(load.unanswered, 0, "requests were never answered");
    await this.allReady(REST_MS);
    const sources = openSources({ databaseUrl: this.platform.databaseUrl, bankUrl: this.platform.bankControl });
    try {
      const { ms, open } = await comeToRest(this.platform, sources, REST_MS);
      assert.deepEqual(open, [], "not at rest");
      const { findings } = await verify(this.clients, this.#journal, sources, this.random);
      assert.deepEqual(findings, []);
      return `${load.recorded} operations, at rest after ${ms} ms`;
    } finally {
      await sources.close();
    }
  }

  /** Waits until so many more operations were recorded: the platform does its work meanwhile. */
  async progress(load: Load, count: number): Promise<void> {
    const before = load.recorded;
    await waitFor(`${count} operations`, () => load.recorded >= before + count, PATIENCE_MS);
  }
}
