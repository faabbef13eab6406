import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Binaries } from "./binaries.ts";
import type { User } from "./placement.ts";

/** The one role of a local server. */
export const ROLE = "ferry";

export interface Cluster {
  binaries: Binaries;
  user: User | undefined;
  /** The data directory itself. */
  data: string;
  /** The folder that holds it. */
  home: string;
}

/** How PostgreSQL's programs are run: by the unprivileged user, in a folder it may enter, with nothing of our environment. */
export function spawnOptions({ user, home }: Pick<Cluster, "user" | "home">) {
  const identity = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  return { ...identity, cwd: home, env: { PATH: "/usr/bin:/bin", LC_ALL: "C" } };
}

/** Reads the role's password from the wanted folder, or makes one. Only its owner may read the file. */
export function readOrMakePassword(wanted: string): { password: string; made: boolean } {
  const file = join(wanted, "password");
  if (existsSync(file)) return { password: readFileSync(file, "utf8").trim(), made: false };
  const password = randomBytes(24).toString("base64url");
  writeFileSync(`${file}.new`, password, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return { password, made: true };
}

/** Runs statements without a server, one a line. Errors that `mayFail` matches are let pass. */
async function runSingle(cluster: Cluster, statements: readonly string[], mayFail?: RegExp): Promise<void> {
  const args = ["--single", "-D", cluster.data, "-c", "log_min_messages=error", "postgres"];
  const child = spawn(cluster.binaries.postgres, args, spawnOptions(cluster));
  let output = "";
  child.stdout.resume();
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  child.stdin.on("error", () => {}); // A child that died early is reported by its exit code.
  child.stdin.end(`${statements.join("\n")}\n`);
  const code = await closed;
  const errors = output.split("\n").filter((line) => /ERROR|FATAL|PANIC/.test(line) && !mayFail?.test(line));
  if (code !== 0 || errors.length > 0) throw new Error(`PostgreSQL refused its set-up (${code}): ${output.trim()}`);
}

/**
 * Makes the data directory when there is none. It is built beside its place and renamed, so that a
 * process killed in between leaves nothing that looks finished.
 */
export async function initialize(cluster: Cluster, secret: { password: string; made: boolean }): Promise<void> {
  if (existsSync(join(cluster.data, "PG_VERSION"))) {
    // The password's file was lost, or removed to change it: the role follows the file.
    if (secret.made) await runSingle(cluster, [`ALTER ROLE ${ROLE} PASSWORD '${secret.password}';`]);
    return;
  }
  const partial = `${cluster.data}.partial`;
  const passwordFile = join(cluster.home, "initdb-password");
  rmSync(partial, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, secret.password, { mode: 0o600 });
  if (cluster.user !== undefined) chownSync(passwordFile, cluster.user.uid, cluster.user.gid);
  const access = ["--auth=scram-sha-256", `--pwfile=${passwordFile}`, `--username=${ROLE}`];
  const args = ["-D", partial, "--encoding=UTF8", "--no-locale", "--no-instructions", ...access];
  try {
    await promisify(execFile)(cluster.binaries.initdb, args, spawnOptions(cluster));
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(partial, cluster.data);
}

/** Creates the databases that are not there yet. What was created is noted, so that a later start need not look. */
export async function createDatabases(cluster: Cluster, names: readonly string[]): Promise<void> {
  const note = join(cluster.home, "databases.json");
  const known = new Set<string>(existsSync(note) ? (JSON.parse(readFileSync(note, "utf8")) as string[]) : []);
  const missing = names.filter((name) => !known.has(name));
  if (missing.length === 0) return;
  const bad = missing.find((name) => !/^[a-z][a-z0-9_]{0,40}$/.test(name));
  if (bad !== undefined) throw new Error(`PostgreSQL: "${bad}" is no name for a database`);
  const statements = missing.map((name) => `CREATE DATABASE ${name};`);
  await runSingle(cluster, statements, /database "[a-z0-9_]+" already exists/);
  writeFileSync(note, JSON.stringify([...known, ...missing]));
}
