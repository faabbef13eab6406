import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const STOP_GRACE_MS = 5_000;
const MAX_OUTPUT_LINES = 100;
const MAX_REASON_LENGTH = 400;

export interface ChildOptions {
  command: string;
  args: readonly string[];
  cwd?: string;
  environment?: Readonly<Record<string, string>>;
  /** Opens a channel for messages, that of `process.send`. */
  messages?: boolean;
}

export interface Child {
  /** Undefined when the command could not be started. */
  pid: number | undefined;
  process: ChildProcess;
  /** Resolves when it has ended, with how: "code 1", "SIGTERM", or why it could not be started. Never rejects. */
  ended: Promise<string>;
  /** The errors among its last lines, or the last line, shortened: for a person. */
  lastWords(): string;
  /** Asks it and all that it started to end, insists after five seconds, and waits for the end. */
  stop(): Promise<void>;
}

/**
 * Ends a group of processes when this process is gone without a chance to do it: the pipe to the guard
 * closes, whatever the cause.
 */
function guard(pid: number): ChildProcess {
  const child = spawn("/bin/sh", ["-c", `read line || kill -TERM -${pid}`], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.stdin?.on("error", () => {}); // The guard may be gone before it is dismissed.
  child.on("error", () => {}); // Without a shell there is no guard.
  child.unref();
  return child;
}

function collectOutput(child: ChildProcess): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      createInterface({ input: stream }).on("line", (line) => {
        if (line.trim() !== "") lines.push(line.trim());
        if (lines.length > MAX_OUTPUT_LINES) lines.shift();
      });
  return lines;
}

/**
 * Starts a command in a group of its own, so that Ctrl-C in a terminal reaches only us, who end all in
 * order. It ends with this process, however that comes about.
 */
export function startChild({ command, args, cwd, environment, messages = false }: ChildOptions): Child {
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...environment },
    detached: true,
    stdio: messages ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"],
  });
  const lines = collectOutput(child);
  const watch = child.pid === undefined ? undefined : guard(child.pid);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(signal ?? `code ${code}`));
  }).finally(() => watch?.stdin?.end("dismissed\n"));

  function signalGroup(signal: NodeJS.Signals): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // All of the group have ended.
    }
  }

  return {
    pid: child.pid,
    process: child,
    ended,
    lastWords() {
      const errors = lines.filter((line) => /(error|fatal|panic)\b(?!\.)/i.test(line)).slice(0, 3);
      return (errors.length > 0 ? errors.join("; ") : (lines.at(-1) ?? "")).slice(0, MAX_REASON_LENGTH);
    },
    async stop() {
      signalGroup("SIGTERM");
      const impatience = setTimeout(signalGroup, STOP_GRACE_MS, "SIGKILL");
      await ended;
      clearTimeout(impatience);
    },
  };
}

/**
 * Runs a command to its end.
 *
 * @throws Error that says in a line what failed and why, when it cannot be started, ends with another
 * code than 0, or takes longer than `limitMs`; the signal's reason, when that is aborted meanwhile.
 */
export async function runCommand(
  options: ChildOptions & { what: string; limitMs: number; signal: AbortSignal },
): Promise<void> {
  const { what, limitMs, signal } = options;
  signal.throwIfAborted();
  const child = startChild(options);
  const how = await withinLimit(child.ended, limitMs, signal);
  if (how === undefined) await child.stop();
  signal.throwIfAborted();
  if (how === undefined) throw new Error(`${what} took longer than ${limitMs / 1_000} s`);
  if (how !== "code 0") throw new Error([`${what} failed (${how})`, child.lastWords()].filter(Boolean).join(": "));
}

/** What the promise gives, or undefined when it takes longer than `limitMs` or the signal is aborted before. */
export async function withinLimit<Result>(
  promise: Promise<Result>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Result | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  if (limit.aborted) return undefined;
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const end = () => resolve(undefined);
  limit.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([promise, late]);
  } finally {
    limit.removeEventListener("abort", end);
  }
}
