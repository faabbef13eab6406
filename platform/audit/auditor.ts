import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { AuditBreachFoundSchema } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import type { Database, Session } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { createFreezer } from "./freezer.ts";
import { createHorizon } from "./horizon.ts";
import { breachFound } from "./messages.ts";
import { type CheckFigures, newFigures, showAuditor } from "./metrics.ts";
import { createPace } from "./pace.ts";
import {
  deleteWaiting,
  endPassed,
  findCursors,
  findDue,
  hasWaiting,
  NotTheAuditor,
  saveBreaches,
  saveCursor,
  saveWaiting,
  tryLock,
} from "./store.ts";
import type { AuditCheck, AuditResult, FreezeAccounts } from "./types.ts";

export interface AuditorOptions {
  /** As "ledger". */
  service: string;
  database: Database;
  outbox: Outbox;
  logger: Logger;
  checks: readonly AuditCheck[];
  /** Stops the accounts of a breach. Absent: the service's breaches name none. */
  freeze?: FreezeAccounts;
  /** Rows that one round looks at, about. Default 1,000. */
  maxRows?: number;
  /** Instead of each check's own pause between rounds, for tests. */
  everyMs?: number;
}

export interface CheckState {
  check: AuditCheck;
  figures: CheckFigures;
  /** Why the last round failed; empty when it did not. */
  failure: string;
}

export interface Auditor extends Required<Component> {
  readonly service: string;
  /** Whether this instance is the one that runs the checks. */
  isRunning(): boolean;
  states(): readonly CheckState[];
  /** Runs one round of one check now, whoever is the auditor. @throws what the round throws. */
  runRound(name: string): Promise<AuditResult>;
}

const LOCK_RETRY_MS = 5_000;
const EVERY_MS = 4_000;
const AFTER_FAILURE_MS = 5_000;
const AGAIN_AT_ONCE = 200;
/** A cursor that moved over nothing is written so seldom: what it passed is passed again after a restart. */
const WRITE_IDLE_CURSOR_MS = 300_000;

interface Running extends CheckState {
  revision: bigint;
  cursor: unknown;
  nextAtMs: number;
  savedAtMs: number;
  /** It may have something that waits to be looked at again. */
  mayWait: boolean;
  /** A condition that it found may still be noted as standing. */
  mayStand: boolean;
}

/**
 * Runs the checks of a service over its own database, one round after another, each of bounded work. Any number
 * of instances may have one: the holder of an advisory lock works, the others stand by.
 */
class PostgresAuditor implements Auditor {
  readonly name = "auditor";
  readonly service: string;
  readonly #options: AuditorOptions;
  readonly #checks: Map<string, Running>;
  readonly #horizon: () => Promise<string | undefined>;
  readonly #pace = createPace();
  readonly #freezer: ReturnType<typeof createFreezer>;
  readonly #stopping = new AbortController();
  #isRunning = false;
  #loop: Promise<void> | undefined;
  #hide = () => {};

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.service = options.service;
    this.#horizon = createHorizon(options.database);
    this.#freezer = createFreezer(options);
    this.#checks = new Map(options.checks.map((check) => [check.name, begin(check)]));
    if (this.#checks.size !== options.checks.length) throw new Error("two checks have the same name");
  }

  isRunning(): boolean {
    return this.#isRunning;
  }

  states(): readonly CheckState[] {
    return [...this.#checks.values()];
  }

  async start(): Promise<void> {
    const figures = new Map([...this.#checks].map(([name, { figures }]) => [name, figures]));
    this.#hide = showAuditor(this.service, this.#options.database, figures, () => this.#isRunning);
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#hide();
    this.#stopping.abort();
    await this.#loop;
  }

  /** A service whose books cannot be checked now still serves. */
  unready(): undefined {
    return undefined;
  }

  async runRound(name: string): Promise<AuditResult> {
    const state = this.#checks.get(name);
    if (state === undefined) throw new Error(`there is no check ${name}`);
    await this.#load([state]);
    const result = await this.#round(state);
    await this.#freezer.freeze();
    return result;
  }

  async #run(): Promise<void> {
    const { database, logger } = this.#options;
    while (!this.#stopping.signal.aborted) {
      let session: Session | undefined;
      try {
        session = await database.session();
        await this.#serve(session);
      } catch (error) {
        if (!this.#stopping.signal.aborted) logger.warn({ error: String(error) }, "the auditor has lost its session");
      } finally {
        this.#isRunning = false;
        await Promise.race([session?.release().catch(() => {}), delay(500)]);
      }
      await this.#wait(LOCK_RETRY_MS);
    }
  }

  /** Waits for the lock on a session, and works as long as it holds. */
  async #serve(session: Session): Promise<void> {
    let over = false;
    void session.ended.then(() => {
      over = true;
    });
    while (!(await tryLock(session))) {
      await this.#wait(LOCK_RETRY_MS);
      if (this.#stopping.signal.aborted || over) return;
    }
    const all = [...this.#checks.values()];
    await this.#load(all);
    this.#isRunning = true;
    while (!this.#stopping.signal.aborted && !over) {
      const next = all.reduce((one, other) => (other.nextAtMs < one.nextAtMs ? other : one));
      await this.#wait(next.nextAtMs - performance.now());
      if (!this.#stopping.signal.aborted && !over) await this.#attempt(next);
    }
  }

  async #load(states: readonly Running[]): Promise<void> {
    const cursors = await findCursors(this.#options.database);
    for (const state of states) {
      const row = cursors.get(state.check.name);
      state.revision = row?.revision ?? 0n;
      state.cursor = row?.position ?? undefined;
      state.mayWait = state.mayStand = true;
    }
  }

  /** One round, and when the next is to be: whatever a round costs, all of them together have a small share of the time. */
  async #attempt(state: Running): Promise<void> {
    const { logger, everyMs = state.check.everyMs ?? EVERY_MS } = this.#options;
    const begunMs = performance.now();
    let pauseMs = everyMs;
    try {
      const { more = false, restMs = 0 } = await this.#round(state);
      await this.#freezer.freeze();
      pauseMs = this.#pace(performance.now() - begunMs, more ? 0 : Math.max(everyMs, restMs));
      state.failure = "";
    } catch (error) {
      if (error instanceof NotTheAuditor) throw error;
      state.figures.failures++;
      state.failure = error instanceof Error ? error.message : String(error);
      pauseMs = Math.max(everyMs, AFTER_FAILURE_MS);
      const fields = { check: state.check.name, error: String(error) };
      if (!this.#stopping.signal.aborted) logger.warn(fields, "a round of the auditor could not be finished");
    }
    state.nextAtMs = performance.now() + pauseMs;
  }

  async #round(state: Running): Promise<AuditResult> {
    const { maxRows = 1_000 } = this.#options;
    const { check, figures, cursor } = state;
    const begunMs = performance.now();
    const again = state.mayWait ? await this.#findDue(state) : [];
    const result = await check.run({ cursor, again, maxRows, horizon: this.#horizon });
    await this.#save(state, result, again, performance.now() - begunMs);
    figures.rounds++;
    figures.rows += result.rows;
    figures.lagMs = result.lagMs;
    figures.roundAtMs = Date.now();
    return result;
  }

  /** Once nothing waits at all, nothing is asked for until something does: only this auditor has anything wait. */
  async #findDue(state: Running): Promise<string[]> {
    const { database } = this.#options;
    const { name } = state.check;
    const due = await findDue(database, name, AGAIN_AT_ONCE);
    if (due.length === 0) state.mayWait = await hasWaiting(database, name);
    return due;
  }

  /** Writes what a round found, together with the cursor: a round that is not written is done again. */
  async #save(state: Running, result: AuditResult, again: readonly string[], durationMs: number): Promise<void> {
    const { database, outbox, logger, service } = this.#options;
    const { check, revision } = state;
    const { cursor, rows, breaches, waiting = [], lagMs } = result;
    const isIdle = rows === 0 && breaches.length === 0 && waiting.length === 0 && again.length === 0;
    const isDue = performance.now() - state.savedAtMs >= WRITE_IDLE_CURSOR_MS;
    if (isIdle && !isDue && !(check.standing === true && state.mayStand)) {
      state.cursor = cursor;
      return;
    }
    const still = new Set(waiting);
    const fresh = await database.transaction(async (tx) => {
      await saveCursor(tx, { name: check.name, revision, position: cursor, rows, durationMs, lagMs });
      await deleteWaiting(
        tx,
        check.name,
        again.filter((subject) => !still.has(subject)),
      );
      await saveWaiting(tx, check.name, [...still]);
      if (check.standing === true) await endPassed(tx, check.name, breaches);
      const rowsOfBreaches = await saveBreaches(tx, check, breaches);
      await outbox.add(
        tx,
        rowsOfBreaches.map((row) => ({
          id: row.id,
          schema: AuditBreachFoundSchema,
          message: breachFound(service, row),
        })),
      );
      return rowsOfBreaches;
    });
    Object.assign(state, { revision: revision + 1n, cursor, savedAtMs: performance.now() });
    state.mayWait ||= still.size > 0;
    state.mayStand = breaches.length > 0;
    state.figures.breaches += fresh.length;
    if (breaches.length > 0) this.#freezer.expect();
    for (const { id, check_name, invariant, subject, message, accounts, detail } of fresh)
      logger.error({ breachId: id, check: check_name, invariant, subject, accounts, detail }, `BREACH: ${message}`);
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

function begin(check: AuditCheck): Running {
  return {
    ...{ check, figures: newFigures(), failure: "", revision: 0n, cursor: undefined, mayWait: true, mayStand: true },
    ...{ nextAtMs: 0, savedAtMs: Number.NEGATIVE_INFINITY },
  };
}

/** Makes the auditor of a service. Its migrations come with it: `auditMigrations`. */
export function createAuditor(options: AuditorOptions): Auditor {
  return new PostgresAuditor(options);
}
