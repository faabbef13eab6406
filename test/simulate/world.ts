import { newUuid } from "@ferry/platform/db";
import { type Logger, silentLogger } from "@ferry/platform/telemetry";
import { SimulatedBank } from "./bank.ts";
import { layBankWire } from "./bank-wire.ts";
import { Broker, type BrokerOptions } from "./broker.ts";
import { Calls } from "./calls.ts";
import { createChance } from "./chance.ts";
import { checkWorld } from "./checks.ts";
import { Clients } from "./clients.ts";
import { Clockwork, Life, type TraceLine } from "./clockwork.ts";
import type { WorldCluster, WorldDatabases } from "./cluster.ts";
import { DatabaseGate, holdGate } from "./database-gate.ts";
import { Faults } from "./faults.ts";
import { takeOver } from "./globals.ts";
import { createOperators } from "./operators.ts";
import { Platform, type PlatformOptions } from "./platform.ts";
import { Promises } from "./promises.ts";

const CALM_START_MS = 60_000;
const CHAOS_MS: readonly [number, number] = [4_000, 20_000];
const ACTIONS: readonly [number, number] = [8, 32];
const LOOK_MS = 1_000;
/**
 * Within this long, in the world's time, everything settles once nothing goes wrong any more: a refund that met much
 * before has pauses of five minutes between the last of its calls to the bank.
 */
const SETTLED_WITHIN_MS = 1_200_000;
const OPERATOR_ROUNDS = 2;
/** By then the auditors have seen all, and what was on its way at first once more. */
const AUDITED_AFTER_MS = 20_000;

/** What is broken on purpose, so that the checks can be seen to find it. */
export interface Sabotage {
  parts?: PlatformOptions["sabotage"];
  loses?: BrokerOptions["loses"];
  forgetfulBank?: boolean;
}

export interface SeedOptions {
  seed: number;
  /** How much more often than usual things go wrong. Default 1. */
  intensity?: number;
  sabotage?: Sabotage;
  /** Hears of every step. */
  heard?(line: TraceLine): void;
}

export interface SeedReport {
  seed: number;
  /** What does not hold, a sentence each. */
  findings: string[];
  faults: Record<string, number>;
  ends: Record<string, number>;
  /** What clients and operators did and were told. */
  counts: Record<string, number>;
  steps: number;
  /** The world's time. */
  elapsedMs: number;
  /** A digest of all that happened, in its order: the same for the same seed. */
  trace: string;
  /** The digest of a second run. */
  replay?: string;
}

/** A logger whose lines stand in the printed trace. What it says may name times and ids of PostgreSQL: it is no part of the digest. */
function traceLogger(clockwork: Clockwork, life: Life): Logger {
  if (clockwork.heard === undefined) return silentLogger;
  const say = (level: string) => (fields: object, message: string) =>
    clockwork.heard?.({
      atMs: clockwork.elapsedMs,
      life: life.name,
      what: `${level}: ${message} ${JSON.stringify(fields)}`,
    });
  const logger: Logger = {
    ...{ debug: () => {}, info: say("info"), warn: say("warn"), error: say("error"), hop: () => {} },
    child: () => logger,
  };
  return logger;
}

class World {
  readonly clockwork: Clockwork;
  readonly faults: Faults;
  readonly broker: Broker;
  readonly bank: SimulatedBank;
  readonly promises = new Promises();
  readonly clients: Clients;
  readonly platform: Platform;
  readonly databases: WorldDatabases;
  readonly #operators: ReturnType<typeof createOperators>;
  readonly #people = new Life("clients");

  constructor(clockwork: Clockwork, faults: Faults, databases: WorldDatabases, sabotage: Sabotage) {
    this.clockwork = clockwork;
    this.faults = faults;
    this.databases = databases;
    this.broker = new Broker({
      clockwork,
      faults,
      loses: (record) => faults.on && (sabotage.loses?.(record) ?? false),
    });
    this.bank = new SimulatedBank({ forgetful: sabotage.forgetfulBank });
    const calls = new Calls(clockwork, faults);
    this.clients = new Clients(calls, this.promises, clockwork.chance.fork("clients"));
    this.#operators = createOperators({
      calls,
      bank: this.bank,
      promises: this.promises,
      chance: clockwork.chance.fork("operators"),
    });
    this.platform = new Platform({
      ...{ clockwork, faults, broker: this.broker, calls, databases, sabotage: sabotage.parts },
      loggerFor: (life) => traceLogger(clockwork, life),
    });
  }

  /** Starts the platform, opens accounts and brings money in, while nothing goes wrong. */
  async begin(): Promise<void> {
    const { clockwork, clients } = this;
    await this.platform.start();
    const members = Array.from({ length: clockwork.chance.whole(3, 6) }, () => newUuid());
    clockwork.within(this.#people, () => {
      for (const memberId of members) clients.begin(() => clients.openAccount(memberId));
    });
    const opened = () => clients.atRest && clients.accounts.length === members.length;
    if (!(await clockwork.runUntil(opened, CALM_START_MS)) || !(await this.#settles()))
      throw new Error("the platform does not come up where nothing goes wrong");
  }

  async rage(): Promise<void> {
    const { clockwork, clients, faults } = this;
    const { chance } = clockwork;
    const chaosMs = chance.between(...CHAOS_MS);
    for (let count = chance.whole(...ACTIONS); count > 0; count--)
      clockwork.after(chance.between(0, chaosMs), "a client acts", () => clients.begin(() => clients.act()), {
        life: this.#people,
      });
    for (const service of ["transfer", "payment"] as const)
      clockwork.after(chance.between(0, chaosMs), "an operator looks", () => this.#lookAfter(service), {
        life: this.#people,
      });
    faults.on = true;
    clockwork.afterStep = (life) => {
      this.platform.disturb(life);
      this.broker.disturb(life);
    };
    await clockwork.runUntil(() => false, chaosMs);
    faults.on = false;
    clockwork.afterStep = undefined;
    clockwork.note("CALM");
    this.broker.comeBack();
  }

  /** Waits until all has settled, asks for what clients never heard of, and lets operators do what is theirs. */
  async settle(): Promise<string[]> {
    const { clockwork, clients, promises } = this;
    const isUp = await clockwork.runUntil(() => clients.atRest && this.platform.whole, SETTLED_WITHIN_MS);
    if (!isUp) return ["I4: clients still wait for answers, or services do not come back"];
    clockwork.within(this.#people, () => {
      for (const wish of promises.wishes) if (wish.ids.size === 0) clients.begin(() => clients.persist(wish, 0, 20));
    });
    await clockwork.runUntil(() => clients.atRest, SETTLED_WITHIN_MS);
    for (let round = 0; ; round++) {
      if (!(await this.#settles())) return [`I4: not everything settled within ${SETTLED_WITHIN_MS / 1_000} s of calm`];
      if (round === OPERATOR_ROUNDS) break;
      clockwork.within(this.#people, () => {
        for (const service of ["transfer", "payment"] as const) this.#lookAfter(service);
      });
      await clockwork.runUntil(() => clients.atRest, SETTLED_WITHIN_MS);
    }
    clockwork.within(this.#people, () => {
      for (const wish of promises.wishes) clients.begin(() => clients.look(wish));
    });
    await clockwork.runUntil(() => clients.atRest, SETTLED_WITHIN_MS);
    if (this.platform.audited) await clockwork.runUntil(() => false, AUDITED_AFTER_MS);
    return [];
  }

  #lookAfter(service: "transfer" | "payment"): void {
    this.clients.begin(() => this.#operators.lookAfter(service));
  }

  async #settles(): Promise<boolean> {
    for (let leftMs = SETTLED_WITHIN_MS; leftMs > 0; leftMs -= LOOK_MS) {
      await this.clockwork.runUntil(() => false, LOOK_MS);
      if (await this.#isSettled()) return true;
    }
    return false;
  }

  async #isSettled(): Promise<boolean> {
    if (Object.keys(this.broker.lag()).length > 0) return false;
    for (const [service, text] of UNSETTLED) if ((await this.databases.query(service, text)).length > 0) return false;
    return true;
  }
}

const OUTBOX_LEFT =
  "SELECT FROM outbox, outbox_mark WHERE (outbox.xid, outbox.seq) > (outbox_mark.xid, outbox_mark.seq) LIMIT 1";
/** Who waits for one that is parked waits for an operator too. */
const SAGAS_LEFT = `SELECT FROM saga WHERE status IN ('running', 'undoing')
  AND NOT EXISTS (SELECT FROM saga AS child WHERE child.parent_id = saga.id AND child.status = 'parked') LIMIT 1`;

/** Each gives a row while there is something to do. */
const UNSETTLED = [
  ["transfer", "SELECT FROM transfer WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'PARKED') LIMIT 1"],
  ["transfer", SAGAS_LEFT],
  ["payment", SAGAS_LEFT],
  ["banking", "SELECT FROM bank_call WHERE outcome = 'pending' LIMIT 1"],
  ["transfer", "SELECT FROM transfer_batch WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'PARKED') LIMIT 1"],
  ["payment", "SELECT FROM refund WHERE state NOT IN ('COMPLETED', 'FAILED') LIMIT 1"],
  ["banking", "SELECT FROM refund_payout WHERE state = 'paying' LIMIT 1"],
  ["transfer", OUTBOX_LEFT],
  ["payment", OUTBOX_LEFT],
  ["banking", OUTBOX_LEFT],
  ["ledger", OUTBOX_LEFT],
] as const;

/** Lets one world run from its seed: a calm start, chaos, calm again; then checks what is left. */
export async function runSeed(
  cluster: WorldCluster,
  { seed, intensity, sabotage = {}, heard }: SeedOptions,
): Promise<SeedReport> {
  const databases = await cluster.newDatabases();
  const clockwork = new Clockwork(createChance(`ferry ${seed}`));
  clockwork.heard = heard;
  const faults = new Faults(clockwork, intensity);
  const giveBackTime = takeOver(clockwork);
  const openGate = holdGate(new DatabaseGate({ clockwork, faults, overseer: cluster.overseer }));
  const world = new World(clockwork, faults, databases, sabotage);
  const liftWire = layBankWire({ clockwork, faults, bank: world.bank });
  const uncaught = (error: unknown) =>
    void world.promises.lies.push(`nobody caught ${error instanceof Error ? error.stack : error}`);
  process.on("unhandledRejection", uncaught).on("uncaughtException", uncaught);
  try {
    await world.begin();
    await world.rage();
    const unsettled = await world.settle();
    const { findings, ends } = await checkWorld(world);
    return {
      ...{ seed, findings: [...unsettled, ...findings], ends },
      ...{ faults: Object.fromEntries(faults.counts), counts: Object.fromEntries(world.promises.counts) },
      ...{ steps: clockwork.steps, elapsedMs: Math.round(clockwork.elapsedMs), trace: clockwork.traceHash },
    };
  } finally {
    await world.platform.end();
    for (const undo of [liftWire, openGate, giveBackTime]) undo();
    process.off("unhandledRejection", uncaught).off("uncaughtException", uncaught);
  }
}
