import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const STOP_GRACE_MS = 20_000;

export interface PartPlan {
  /** File to run, from the repository's root, with its arguments; it writes its report to the file of `--json`. */
  command: readonly string[];
  json: string;
  environment?: Record<string, string>;
  say(line: string): void;
  /** Ends the part and all that it started. */
  signal: AbortSignal;
}

export interface PartOutcome {
  /** What was tried. */
  commit: string;
  startedAt: string;
  green: boolean;
  seconds: number;
  /** What the part wrote; undefined when it came to none. */
  report: unknown;
  /** Its last lines, when it ended badly. */
  tail: string[];
}

const TAIL_LINES = 30;

/**
 * Runs one part in processes of its own, a group that can be ended as a whole: what goes wrong in it ends
 * neither the other parts nor their report.
 */
export async function runPart({
  command,
  json,
  environment,
  say,
  signal,
}: PartPlan): Promise<Omit<PartOutcome, "commit">> {
  const startedAt = Date.now();
  rmSync(json, { force: true });
  const [file = "", ...args] = command;
  const child = spawn(process.execPath, [resolve(REPOSITORY, file), ...args, "--json", json], {
    cwd: REPOSITORY,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => {
      say(line);
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
    });
  const stop = () => void endGroup(child);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const code = await new Promise<number>((done) => {
    child.once("error", () => done(1));
    child.once("close", (ended) => done(ended ?? 1));
  });
  signal.removeEventListener("abort", stop);
  killGroup(child, "SIGKILL"); // Whatever it left behind.
  const report: unknown = existsSync(json) ? JSON.parse(readFileSync(json, "utf8")) : undefined;
  const green = code === 0;
  return {
    ...{ startedAt: new Date(startedAt).toISOString(), green, report, tail: green ? [] : tail },
    seconds: Math.round((Date.now() - startedAt) / 1_000),
  };
}

async function endGroup(child: ChildProcess): Promise<void> {
  const timer = setTimeout(() => killGroup(child, "SIGKILL"), STOP_GRACE_MS);
  child.once("close", () => clearTimeout(timer));
  killGroup(child, "SIGINT");
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // There is nobody left in it.
  }
}
