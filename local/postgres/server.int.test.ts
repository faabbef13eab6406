import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { isAlive } from "./leftover.ts";
import { localPostgresUrl, startPostgres } from "./server.ts";

const directory = await mkdtemp(join(tmpdir(), "ferry-postgres-"));
const homes = new Set([directory]);
after(() => Promise.all([...homes].map((home) => rm(home, { recursive: true, force: true }))));

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // The server is killed on purpose in these tests.
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("data outlive a stop and a start, and the password opens the door", async () => {
  const first = await startPostgres({ directory, port: 0, durable: true, databases: ["ledger"] });
  homes.add(first.home);
  await query(first.url("ledger"), "CREATE TABLE kept AS SELECT 7 AS n");
  const wrong = first.url("ledger").replace(/:[^:@]+@/, ":wrong@");
  await assert.rejects(query(wrong, "SELECT 1"), /password authentication failed/);
  assert.equal(statSync(join(directory, "password")).mode & 0o077, 0);
  await first.stop();
  assert.equal(isAlive(first.pid), false);

  const second = await startPostgres({ directory, port: 0, durable: true, databases: ["ledger", "payment"] });
  const url = localPostgresUrl({ directory, port: second.port, database: "ledger" });
  assert.deepEqual(await query(url, "SELECT n FROM kept"), [{ n: 7 }]);
  assert.deepEqual(await query(second.url("payment"), "SELECT 1 AS one"), [{ one: 1 }]);
  await assert.rejects(startPostgres({ directory, port: 0, durable: true }), /is in use|did not start/);
  await second.stop();
});

test("a server killed with its backends recovers what was committed", async () => {
  const killed = await startPostgres({ directory, port: 0, durable: true });
  await query(killed.url("ledger"), "CREATE TABLE survivor AS SELECT 8 AS n");
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;
  const next = await startPostgres({ directory, port: 0, durable: true });
  assert.deepEqual(await query(next.url("ledger"), "SELECT n FROM survivor"), [{ n: 8 }]);
  await next.stop();
});

/** On a port that PostgreSQL finds free itself: one that was found before may be taken by then. */
function startProcess(): { child: ChildProcess; ready: Promise<{ postgresPid: number; port: number }> } {
  const child = spawn(process.execPath, [fileURLToPath(new URL("main.ts", import.meta.url))], {
    env: { ...process.env, FERRY_POSTGRES_PORT: "0", FERRY_POSTGRES_DIR: directory },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ready = new Promise<{ postgresPid: number; port: number }>((resolve, reject) => {
    child.stdout?.once("data", (line) => resolve(JSON.parse(String(line))));
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
  return { child, ready };
}

const exitOf = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("exit", resolve));

test("the process of the launcher: killed, it takes PostgreSQL with it; started again, it is ready; asked, it stops", async () => {
  const first = startProcess();
  await first.ready;
  const killed = exitOf(first.child);
  first.child.kill("SIGKILL");
  await killed;

  const second = startProcess();
  const { postgresPid, port } = await second.ready;
  const url = localPostgresUrl({ directory, port, database: "ferry_transfer" });
  assert.deepEqual(await query(url, "SELECT 1 AS one"), [{ one: 1 }]);
  const stopped = exitOf(second.child);
  second.child.kill("SIGTERM");
  assert.equal(await stopped, 0);
  assert.equal(isAlive(postgresPid), false);
  await assert.rejects(
    new Promise((resolve, reject) => createConnection(port, "127.0.0.1", () => resolve("open")).on("error", reject)),
    /ECONNREFUSED/,
  );
});

test("the process ends with an error when PostgreSQL dies", async () => {
  const { child, ready } = startProcess();
  const ended = exitOf(child);
  const { postgresPid } = await ready;
  process.kill(postgresPid, "SIGKILL");
  assert.equal(await ended, 1);
});

test("as root, a folder that the unprivileged user may not enter: the data go elsewhere, and follow its removal", {
  skip: process.getuid?.() === 0 ? false : "needs root",
}, async () => {
  const closed = await mkdtemp(join(tmpdir(), "ferry-closed-")); // Made with 0700, for root alone.
  homes.add(closed);
  const wanted = join(closed, "postgres");
  const lines: string[] = [];
  const first = await startPostgres({ directory: wanted, port: 0, durable: false, log: (line) => lines.push(line) });
  homes.add(first.home);
  assert.notEqual(first.home, wanted);
  assert.ok(lines.some((line) => line.includes(first.home)));
  await query(first.url("postgres"), "CREATE TABLE kept ()");
  await first.stop();

  const second = await startPostgres({ directory: wanted, port: 0, durable: false });
  assert.deepEqual(await query(second.url("postgres"), "SELECT * FROM kept"), []);
  await second.stop();

  await rm(wanted, { recursive: true });
  const third = await startPostgres({ directory: wanted, port: 0, durable: false });
  await assert.rejects(query(third.url("postgres"), "SELECT * FROM kept"), /does not exist/);
  await third.stop();
  assert.equal(existsSync(join(wanted, "password")), true);
});
