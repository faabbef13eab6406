import type { Database, Queryable } from "@ferry/platform/db";
import { type Component, createAlarm } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import type { DueWork } from "../app/batch-rows.ts";

/** Work taken at once at most. */
const CHUNK = 64;
/** Work that is not done by then, in milliseconds, is taken again by whoever looks. */
const AGAIN_MS = 2_000;
/** When all that is due is taken just now, another instance is at it. */
const TAKEN_ELSEWHERE_MS = 250;
/** How often an idle process looks for work that others planned, in milliseconds: one look into an index. */
const POLL_MS = 2_000;
/** Batches that are moved at the same time, so that they leave the database to others too. */
const MAX_ADVANCING = 2;

interface DueStore {
  findNextDueMs(from: Queryable): Promise<number | undefined>;
  takeWork(from: Queryable, take: { nowMs: number; againMs: number; limit: number }): Promise<DueWork[]>;
}

export interface DueWorkOptions {
  database: Database;
  due: DueStore;
  beginScheduled(ids: readonly string[]): Promise<void>;
  expireTransfers(ids: readonly string[]): Promise<void>;
  /** Does the next thing about a batch. @returns whether there may be more to do at once. */
  advanceBatch(id: string): Promise<boolean>;
  logger: Logger;
  now(): Date;
}

export interface DueWorkers extends Component {
  /** Looks by then for work, Unix time in milliseconds. */
  wakeBy(dueAtMs: number): void;
  /** Goes on with batches at once. */
  wake(batchIds: Iterable<string>): void;
}

/**
 * Does what has its time: one timer, set for the next of it. Batches are moved on besides, a step at a time, as soon
 * as something of theirs has ended here; their entries in the table of due work are for what was missed.
 */
export function createDueWorkers(options: DueWorkOptions): DueWorkers {
  const { database, due, logger } = options;
  const nowMs = () => options.now().getTime();
  const waiting = new Set<string>();
  const advancing = new Map<string, Promise<void>>();
  let running = false;

  async function guarded(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      logger.warn({ what, error: String(error) }, "due work could not be done now");
    }
  }

  async function doWork(): Promise<number> {
    for (;;) {
      const at = nowMs();
      const nextMs = await due.findNextDueMs(database);
      if (nextMs === undefined || nextMs > at || !running) return Math.min(nextMs ?? at + POLL_MS, at + POLL_MS);
      const work = await due.takeWork(database, { nowMs: at, againMs: AGAIN_MS, limit: CHUNK });
      if (work.length === 0) return at + TAKEN_ELSEWHERE_MS;
      const idsOf = (wanted: DueWork["kind"]) => work.filter(({ kind }) => kind === wanted).map(({ id }) => id);
      wake(idsOf("advance-batch"));
      const [begin, expire] = [idsOf("begin-transfer"), idsOf("expire-transfer")];
      if (expire.length > 0) await guarded("expire", () => options.expireTransfers(expire));
      if (begin.length > 0) await guarded("begin", () => options.beginScheduled(begin));
    }
  }

  const alarm = createAlarm({
    ring: doWork,
    pollMs: POLL_MS,
    what: "due work could not be done now",
    ...{ logger, now: nowMs },
  });

  /** A step at a time: what wakes the batch meanwhile makes one more step of it. */
  async function advance(id: string): Promise<void> {
    await guarded("batch", async () => {
      if (running && (await options.advanceBatch(id))) waiting.add(id);
    });
    advancing.delete(id);
    startWaiting();
  }

  function startWaiting(): void {
    for (const id of waiting) {
      if (!running || advancing.size >= MAX_ADVANCING) return;
      if (advancing.has(id)) continue;
      waiting.delete(id);
      advancing.set(id, advance(id));
    }
  }

  function wake(batchIds: Iterable<string>): void {
    for (const id of batchIds) waiting.add(id);
    startWaiting();
  }

  return {
    name: "due-work",
    async start() {
      running = true;
      alarm.start();
    },
    async stop() {
      running = false;
      await Promise.all([alarm.stop(), ...advancing.values()]);
    },
    wake,
    wakeBy: alarm.wakeBy,
  };
}
