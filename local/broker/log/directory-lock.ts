import fs from "node:fs";
import path from "node:path";

/** Directories locked by this process: the file names only the process, not the broker within it. */
const heldHere = new Set<string>();

/**
 * Makes sure that one broker alone writes to a directory.
 *
 * The lock names a process and, where the system tells it, when that process began: after a kill its number may have
 * been given to another one, and the lock counts as free then.
 *
 * @returns a function that gives the lock back.
 * @throws Error when a living broker holds it.
 */
export function lockDirectory(directory: string): () => void {
  const file = path.join(fs.realpathSync(directory), "broker.lock");
  const holder = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : "";
  const pid = Number(holder.split(" ")[0]);
  const heldByOther = pid > 0 && pid !== process.pid && holder === identify(pid);
  if (heldHere.has(file) || heldByOther) {
    throw new Error(`${directory} is in use by the broker of process ${pid}; stop it first`);
  }
  fs.writeFileSync(file, `${identify(process.pid)}\n`, { mode: 0o600 });
  heldHere.add(file);
  return () => {
    heldHere.delete(file);
    fs.rmSync(file, { force: true });
  };
}

/** "<pid> <start>", or undefined when there is no such process; on systems without /proc the start is left out. */
function identify(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
  }
  try {
    const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // The command in brackets may hold blanks; the start time is the 20th field after it.
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    if (fields[0] === "Z") return undefined; // It has ended, and only waits for its parent to notice.
    return `${pid} ${boot}/${fields[19]}`;
  } catch {
    return `${pid}`;
  }
}
