import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
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

/** What a file says that another process may remove at any moment; empty when it is not there. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return ""; // ESRCH: a process that ended while its /proc was read.
    throw error;
  }
}

function readPid(file: string): number | undefined {
  const pid = Number.parseInt(readIfThere(file), 10);
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

function commandOf(pid: number): string {
  const told = readIfThere(`/proc/${pid}/cmdline`);
  if (told !== "") return told.replaceAll("\0", " ");
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
  if (!isAlive(pid)) return;
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
  try {
    process.kill(pid, "SIGINT");
  } catch (error) {
    if (isAlive(pid)) throw error; // Else its guard was quicker.
  }
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL process ${pid} was left over and does not stop`);
    await pause(POLL_MS);
  }
}
