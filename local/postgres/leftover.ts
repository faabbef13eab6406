import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const SHUTDOWN_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readPid(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

function commandOf(pid: number): string {
  if (existsSync(`/proc/${pid}/cmdline`)) return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  try {
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}

/**
 * Clears what an earlier run that was killed may have left: a postmaster that still runs on this
 * data directory is asked to stop, and a lock file whose process id now belongs to another program
 * is removed (PostgreSQL itself clears one whose process is gone).
 *
 * @throws when the server is not left over but in use: whoever started it still lives.
 */
export async function clearLeftover(data: string, ownerFile: string, log: (line: string) => void): Promise<void> {
  const lockFile = join(data, "postmaster.pid");
  const pid = readPid(lockFile);
  if (pid === undefined || !isAlive(pid)) return;
  const command = commandOf(pid);
  if (!command.includes("postgres") || !command.includes(data)) {
    rmSync(lockFile, { force: true });
    return;
  }
  const owner = readPid(ownerFile);
  if (owner !== undefined && isAlive(owner)) {
    throw new Error(`PostgreSQL: ${data} is in use by process ${pid}, which process ${owner} started`);
  }
  log(`PostgreSQL process ${pid} was left over from an earlier run; stopping it`);
  const deadline = Date.now() + SHUTDOWN_TIMEOUT_MS;
  process.kill(pid, "SIGINT");
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL process ${pid} was left over and does not stop`);
    await pause(POLL_MS);
  }
}
