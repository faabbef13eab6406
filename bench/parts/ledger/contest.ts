import { mkdtempSync, rmSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { outboxMigrations } from "@ferry/platform/outbox";
import pg from "pg";
import { type Postgres, startPostgres } from "../../../local/postgres/server.ts";
import { ledgerMigrations } from "../../../services/ledger/store/migrations.ts";
import { assertBooksHold, createTestLedger } from "../../../services/ledger/store/test-ledger.ts";
import { Child } from "../child.ts";
import { type Contender, type ContestOptions, type ContestResult, compete } from "../contest.ts";
import type { Payer } from "./commands.ts";
import { findPgbench, runPgbench } from "./pgbench.ts";

const TEMPLATE = "ferry_made";
const [LIVE, RECORDED, ALONE, PGBENCH] = ["ferry_live", "ferry_recorded", "ferry_alone", "ferry_pgbench"] as const;
const ACCOUNTS = 256;
const FUNDS_MINOR = 1_000_000_000n;
/** Sets that count as a second of work. */
const SETS_PER_SECOND = 96;
const setsOf = (seconds: number) => Math.max(4, Math.round(seconds * SETS_PER_SECOND));

/** A stretch of what the ledger sent: the warm-up first, then a round each. */
interface Segment {
  file: string;
  transfers: number;
}

async function makePayers(url: string): Promise<Payer[]> {
  await migrate(url, [outboxMigrations, ledgerMigrations]);
  const ledger = createTestLedger({ url, drop: async () => {} });
  const payers: Payer[] = [];
  for (let index = 0; index < ACCOUNTS; index++) {
    const ownerId = newUuid();
    const { id } = await ledger.open(FUNDS_MINOR, ownerId);
    payers.push({ id, ownerId });
  }
  await ledger.close();
  return payers;
}

async function copyTemplate(postgres: Postgres): Promise<void> {
  const admin = new pg.Client({ connectionString: postgres.url("postgres") });
  await admin.connect();
  for (const name of [LIVE, RECORDED, ALONE, PGBENCH])
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
}

/** Checks that a database holds so many settled transfers and that its books balance. */
async function checkBooks(url: string, settled: number | undefined): Promise<void> {
  const database = openDatabase({ url });
  try {
    await assertBooksHold(database);
    const text = "SELECT count(*) AS settled FROM hold WHERE state = 'settled'";
    const [row] = await database.query<{ settled: bigint }>(text);
    if (settled !== undefined && Number(row!.settled) !== settled)
      throw new Error(`${row!.settled} transfers were settled, not ${settled}`);
  } finally {
    await database.close();
  }
}

async function recordSegments(child: Child, directory: string, sets: readonly number[]) {
  const segments: Segment[] = [];
  let options = "";
  for (const [index, count] of sets.entries()) {
    const file = join(directory, `segment-${index}`);
    const recorded = await child.ask<{ options: string; transfers: number }>("record", { sets: count, file });
    options = recorded.options;
    segments.push({ file, transfers: recorded.transfers });
  }
  return { segments, options };
}

/**
 * The ledger alone: holds and settlements in sets, ours beside the same statements through pg alone and by
 * pgbench: CPU of Node and of PostgreSQL for a transfer. Without a pgbench on the machine that floor is left out.
 */
export async function contestLedger(options: ContestOptions): Promise<ContestResult & { without?: string }> {
  const { seconds, rounds = 6, warmUpSeconds = 2, log } = options;
  const directory = mkdtempSync(join(tmpdir(), "ferry-bench-ledger-"));
  await chmod(directory, 0o755); // PostgreSQL may run as another user, who has to get in.
  const [recorder, live, alone] = ["process", "process", "replay"].map((name) => new Child(`ledger/${name}.ts`));
  let postgres: Postgres | undefined;
  try {
    postgres = await startPostgres({ directory, port: 0, durable: true, databases: [TEMPLATE] });
    const { pid } = postgres;
    const url = (name: string) => postgres!.url(name);
    const payers = await makePayers(url(TEMPLATE));
    await copyTemplate(postgres);
    await recorder!.ask("open", { url: url(RECORDED), payers, record: true });
    const sets = [setsOf(warmUpSeconds), ...Array.from({ length: rounds }, () => setsOf(seconds / rounds))];
    const { segments, options: pgOptions } = await recordSegments(recorder!, directory, sets);
    await recorder!.ask("end");
    await live!.ask("open", { url: url(LIVE), payers, record: false });
    await alone!.ask("open", { url: url(ALONE), options: pgOptions });

    const pgbench = findPgbench();
    const without = pgbench === undefined ? "there is no pgbench on this machine" : undefined;
    if (without !== undefined) log(`  ${without}: its floor is left out`);
    let [next, nextBench] = [0, 0];
    const contenders: Contender[] = [
      {
        name: "ferry",
        roots: { node: live!.pid, postgres: pid },
        prepare: (time) => live!.ask("prepare", setsOf(time)),
        run: () => live!.ask("run"),
      },
      {
        name: "pg",
        roots: { node: alone!.pid, postgres: pid },
        prepare: () => {
          const { file, transfers } = segments[next++]!;
          return alone!.ask("prepare", { file, count: transfers });
        },
        run: () => alone!.ask("run"),
      },
    ];
    if (pgbench !== undefined)
      contenders.push({
        name: "pgbench",
        roots: { postgres: pid },
        async run() {
          const { file, transfers: count } = segments[nextBench++]!;
          const script = { url: url(PGBENCH), options: pgOptions, script: `${file}.sql` };
          const took = await runPgbench(pgbench, script);
          return { count, errors: 0, example: "", seconds: took, p50Ms: 0, p99Ms: 0 };
        },
      });
    const result = await compete(contenders, { ...options, rounds, warmUpSeconds });
    await live!.ask("settle");
    await Promise.all([live!.ask("end"), alone!.ask("end")]);
    const transfers = segments.reduce((sum, segment) => sum + segment.transfers, 0);
    await checkBooks(url(LIVE), transfers);
    for (const name of [ALONE, ...(pgbench === undefined ? [] : [PGBENCH])]) await checkBooks(url(name), undefined);
    return without === undefined ? result : { ...result, without };
  } finally {
    await Promise.all([recorder!.end(), live!.end(), alone!.end()]);
    if (postgres !== undefined) {
      await postgres.stop();
      rmSync(postgres.home, { recursive: true, force: true });
    }
    rmSync(directory, { recursive: true, force: true });
  }
}
