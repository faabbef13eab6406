import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { type Database, migrate, newUuid, openDatabase, type PreparableDatabase } from "@ferry/platform/db";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { type CoordinatorOptions, createCoordinator, twoPhaseMigrations } from "../index.ts";
import type { Coordinator } from "../types.ts";

/** For tests: a log and two databases with a purse in each, which transactions move money between. */
export async function createPurses(count = 2) {
  const log = await createTestDatabase({ name: "two_phase_log", run: (url) => migrate(url, [twoPhaseMigrations]) });
  const purses = await Promise.all(Array.from({ length: count }, () => createTestDatabase()));
  const urls = { log: log.url, purses: purses.map(({ url }) => url) };
  const opened = openPurses(urls);
  for (const { database } of opened.participants) {
    await database.query("CREATE TABLE purse (one boolean PRIMARY KEY, amount integer NOT NULL)");
    await database.query("CREATE TABLE moved (id uuid PRIMARY KEY)");
    await database.query("INSERT INTO purse VALUES (true, 1000)");
  }
  return {
    ...opened,
    urls,
    async drop() {
      await opened.close();
      for (const made of [log, ...purses]) await made.drop();
    },
  };
}

export interface PurseUrls {
  log: string;
  purses: readonly string[];
}

/** What waits for its turn, for a lock or for a new connection has time for a pause of a busy machine. */
const PATIENT = { connectTimeoutMs: 15_000, transactionTimeoutMs: 20_000 };

export function openPurses(urls: PurseUrls) {
  const log = openDatabase({ url: urls.log, maxConnections: 8, ...PATIENT });
  const participants = urls.purses.map((url, index) => ({
    name: `purse-${index}`,
    database: openDatabase({ url, maxConnections: 8, lockTimeoutMs: 15_000, ...PATIENT }),
  }));
  return {
    log,
    participants,
    coordinator: (options: Partial<CoordinatorOptions> = {}) =>
      createCoordinator({ name: "purses", log, participants, logger, ...options }),
    /** Adds up what is in each purse, and tells which moves it has seen. */
    async look() {
      const seen = await Promise.all(
        participants.map(async ({ database }) => {
          const [row] = await database.query<{ amount: number }>("SELECT amount FROM purse");
          const moved = await database.query<{ id: string }>("SELECT id FROM moved ORDER BY id");
          return { amount: row!.amount, moved: moved.map(({ id }) => id) };
        }),
      );
      return { amounts: seen.map(({ amount }) => amount), moved: seen.map(({ moved }) => moved) };
    },
    async close() {
      for (const { database } of participants) await database.close();
      await log.close();
    },
  };
}

/** Moves 10 from the first purse to the second, under an id that both write down. */
export async function move(coordinator: Coordinator, id = newUuid(), hold?: () => Promise<void>): Promise<void> {
  await coordinator.run(["purse-1", "purse-0"], async (transactions) => {
    let sign = -1;
    for (const tx of transactions.values()) {
      await tx.query("UPDATE purse SET amount = amount + $1", [10 * sign]);
      await tx.query("INSERT INTO moved VALUES ($1)", [id]);
      sign = 1;
    }
    await hold?.();
  });
}

/** Where a coordinator can die, or a participant go away. */
export const POINTS = ["begun", "prepared-one", "prepared", "decided", "committed-one", "committed"] as const;
export type Point = (typeof POINTS)[number];

/**
 * Databases that reach each point of the protocol one after another, the second participant always after
 * the first, and tell it.
 */
export function withPoints(
  { log, participants }: Pick<ReturnType<typeof openPurses>, "log" | "participants">,
  reached: (point: Point) => Promise<void>,
): { log: Database; participants: { name: string; database: PreparableDatabase }[] } {
  const once = new Map<Point, Promise<void>>();
  const at = (point: Point): Promise<void> => {
    const known = once.get(point) ?? reached(point);
    once.set(point, known);
    return known;
  };
  const done = new Map<string, PromiseWithResolvers<void>>();
  const gate = (name: string) => {
    const known = done.get(name) ?? Promise.withResolvers<void>();
    done.set(name, known);
    return known;
  };
  return {
    log: {
      ...log,
      async query<Row>(text: string, values?: readonly unknown[]) {
        const isDecision = text.startsWith("INSERT INTO two_phase_decision") && values?.[1] === "commit";
        if (isDecision) await at("prepared");
        const rows = await log.query<Row>(text, values);
        if (isDecision) await at("decided");
        return rows;
      },
    },
    participants: participants.map(({ name, database }, index) => {
      const ending = async (end: "commit" | "rollback", run: () => Promise<boolean>): Promise<boolean> => {
        if (index > 0 && end === "commit") await gate("commit").promise;
        try {
          const found = await run();
          if (end === "commit") await at(index === 0 ? "committed-one" : "committed");
          return found;
        } finally {
          gate("commit").resolve();
        }
      };
      const begin = async () => {
        const transaction = await database.begin();
        return {
          ...transaction,
          async prepare(prepared: string) {
            await at("begun");
            if (index > 0) await gate("prepare").promise;
            await transaction.prepare(prepared);
            if (index === 0) await at("prepared-one");
            gate("prepare").resolve();
          },
          endPrepared: (end: "commit" | "rollback") => ending(end, () => transaction.endPrepared(end)),
        };
      };
      const endPrepared = (prepared: string, end: "commit" | "rollback") =>
        ending(end, () => database.endPrepared(prepared, end));
      return { name, database: { ...database, begin, endPrepared } };
    }),
  };
}

/** Starts a coordinator in a process of its own that moves money, and is killed with signal 9 when it reaches a point. */
export async function dieAt(urls: PurseUrls, point: Point, id = newUuid()): Promise<string> {
  const child = fork(new URL("./dying-coordinator.ts", import.meta.url), [JSON.stringify({ urls, point, id })]);
  const [, signal] = await once(child, "exit");
  assert.equal(signal, "SIGKILL", `it reached ${point}`);
  return id;
}

/** Makes a database refuse and end all sessions, and take them again. */
export async function setAway(url: string, isAway: boolean): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const admin = openDatabase({
    url: Object.assign(new URL(url), { pathname: "/postgres" }).href,
    ...PATIENT,
  });
  await admin.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS ${!isAway}`);
  // Each is waited for: one that still lives would be taken for one that outlived it.
  if (isAway)
    await admin.query("SELECT pg_terminate_backend(pid, 15000) FROM pg_stat_activity WHERE datname = $1", [name]);
  await admin.close();
}
