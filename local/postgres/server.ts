import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { prepareBinaries } from "./binaries.ts";
import { type Cluster, createDatabases, initialize, ROLE, readOrMakePassword, spawnOptions } from "./cluster.ts";
import { clearLeftover, readIfThere } from "./leftover.ts";
import { findUnprivilegedUser, placeData } from "./placement.ts";
import { serverSettings } from "./settings.ts";

export interface PostgresOptions {
  /** Where the data and the password lie; made when missing. */
  directory: string;
  /** 0 takes a free one. */
  port: number;
  /** Whether commits survive the loss of power. False only for servers that are thrown away. */
  durable: boolean;
  /** Databases to create when missing. */
  databases?: readonly string[];
  log?: (line: string) => void;
}

export interface Postgres {
  port: number;
  /** The process id of PostgreSQL itself. */
  pid: number;
  /** The folder that holds the data: `directory`, or where they had to go (see placement.ts). */
  home: string;
  /** The address of a database, password included. */
  url(database: string): string;
  /** Resolves when PostgreSQL has ended, asked or not. */
  exited: Promise<void>;
  /** Ends all sessions, writes a checkpoint and waits for the end. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 120_000; // Recovery after kill -9 replays up to max_wal_size.
const STOP_TIMEOUT_MS = 20_000;
const START_ATTEMPTS = 10;
const ATTEMPT_PAUSE_MS = 300;
const POLL_MS = 20;
/** What passes by itself: backends of a killed server that are about to end, or a free port that was taken meanwhile. */
const TRANSIENT = /shared memory block .* is still in use|Address already in use/;

/** The address of a database of the local server whose folder is given, as `startPostgres` would return it. */
export function localPostgresUrl(options: { directory: string; port: number; database: string }): string {
  const password = readFileSync(join(resolve(options.directory), "password"), "utf8").trim();
  return addressOf(options.port, password, options.database);
}

function addressOf(port: number, password: string, database: string): string {
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${database}`;
}

function findFreePort(): Promise<number> {
  return new Promise((found, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => found(port));
    });
  });
}

/**
 * Ends PostgreSQL when this process is killed without a chance to do it: the pipe to the guard
 * closes, whatever the cause. PostgreSQL has a session of its own, so that Ctrl-C in a terminal
 * does not stop it before those that use it.
 */
function guard(pid: number, cluster: Cluster): ChildProcess {
  const child = spawn("/bin/sh", ["-c", `read line || kill -INT ${pid}`], {
    ...spawnOptions(cluster),
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.stdin?.on("error", () => {}); // The guard may be gone before it is dismissed.
  child.on("error", () => {}); // Without a shell there is no guard; the next start clears what is left over.
  child.unref();
  return child;
}

interface Attempt {
  child: ChildProcess;
  exited: Promise<void>;
  output: string[];
}

function launch(cluster: Cluster, port: number, durable: boolean, log: (line: string) => void): Attempt {
  const args = ["-D", cluster.data, ...serverSettings(port, durable)];
  const child = spawn(cluster.binaries.postgres, args, {
    ...spawnOptions(cluster),
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const output: string[] = [];
  createInterface({ input: child.stderr! }).on("line", (line) => {
    output.push(line);
    if (output.length > 50) output.shift();
    log(line);
  });
  const watch = child.pid === undefined ? undefined : guard(child.pid, cluster);
  const exited = new Promise<void>((ended) => {
    child.on("close", () => ended());
    child.on("error", (error) => {
      output.push(error.message);
      ended();
    });
  }).then(() => {
    watch?.stdin?.end("dismissed\n");
  });
  return { child, exited, output };
}

/** Waits until PostgreSQL says in its lock file that it takes connections; false when it ended before. */
async function waitUntilReady({ child, exited }: Attempt, data: string): Promise<boolean> {
  let ended = false;
  exited.then(() => {
    ended = true;
  });
  const lockFile = join(data, "postmaster.pid");
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; await pause(POLL_MS)) {
    if (ended) return false;
    // The first line is the process id, the eighth the state: as pg_ctl reads it.
    const lines = readIfThere(lockFile).split("\n");
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return true;
  }
  child.kill("SIGQUIT");
  await exited;
  throw new Error(`PostgreSQL was not ready within ${READY_TIMEOUT_MS} ms`);
}

async function end({ child, exited }: Attempt): Promise<void> {
  child.kill("SIGINT");
  const impatience = setTimeout(() => child.kill("SIGQUIT"), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(impatience);
}

/**
 * Starts a PostgreSQL of its own on 127.0.0.1 and waits until it takes connections.
 *
 * The first start makes the data directory, with one role that has a generated password (kept in
 * `<directory>/password`, readable by its owner alone): another user of the machine gets nowhere.
 * A start after kill -9 recovers. PostgreSQL ends when this process ends, however that comes about.
 *
 * @throws when the port is taken, the directory is in use, or PostgreSQL does not start: with its last words.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const log = options.log ?? (() => {});
  const wanted = resolve(options.directory);
  const user = findUnprivilegedUser();
  const home = placeData(wanted, user, log);
  const ownerFile = join(home, "owner.pid");
  const cluster: Cluster = { binaries: await prepareBinaries(user, log), user, home, data: join(home, "data") };
  await clearLeftover(cluster.data, ownerFile, log);
  const secret = readOrMakePassword(wanted);
  await initialize(cluster, secret);
  await createDatabases(cluster, options.databases ?? []);
  for (let attempt = 1; ; attempt++) {
    const port = options.port === 0 ? await findFreePort() : options.port;
    const running = launch(cluster, port, options.durable, log);
    writeFileSync(ownerFile, `${process.pid}\n`);
    if (user !== undefined) chownSync(ownerFile, user.uid, user.gid);
    if (await waitUntilReady(running, cluster.data)) {
      return present(running, cluster, port, secret.password);
    }
    const lastWords = running.output.join("\n");
    if (attempt === START_ATTEMPTS || !TRANSIENT.test(lastWords)) {
      throw new Error(`PostgreSQL did not start on port ${port}: ${lastWords}`);
    }
    await pause(ATTEMPT_PAUSE_MS);
  }
}

function present(running: Attempt, cluster: Cluster, port: number, password: string): Postgres {
  return {
    port,
    pid: running.child.pid!,
    home: cluster.home,
    url: (database) => addressOf(port, password, database),
    exited: running.exited,
    stop: () => end(running),
  };
}
