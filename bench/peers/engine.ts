import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { type Child, type ChildOptions, startChild } from "./child.ts";
import type { InstallOptions } from "./install.ts";

const READY_LIMIT_MS = 60_000;
const PROBE_LIMIT_MS = 2_000;
const PROBE_EVERY_MS = 100;

/** What a peer's server is started with. */
export interface EngineContext {
  install: InstallOptions;
  /** A folder of its own for its data, removed after the run. */
  directory: string;
}

/** A peer's server at work. */
export interface Engine {
  pid: number;
  /** Addresses for the peer's program. */
  settings: Record<string, string>;
  stop(): Promise<void>;
}

/** A port of 127.0.0.1 that nothing listens on now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function waitUntilReady(child: Child, isReady: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  let how: string | undefined;
  child.ended.then((ended) => {
    how = ended;
  });
  for (const until = Date.now() + READY_LIMIT_MS; Date.now() < until; await pause(PROBE_EVERY_MS)) {
    signal.throwIfAborted();
    if (how !== undefined) throw new Error(`Its server ended (${how}): ${child.lastWords()}`);
    if (await isReady()) return;
  }
  throw new Error(`Its server was not ready within ${READY_LIMIT_MS / 1_000} s: ${child.lastWords()}`);
}

/** Whether an address answers with success. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_LIMIT_MS) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Starts a peer's server and waits until it is ready.
 *
 * @throws Error with the reason when it ends before, or is not ready within a minute; it is stopped then.
 */
export async function startEngine(
  command: ChildOptions,
  options: { settings: Record<string, string>; signal: AbortSignal; isReady(): Promise<boolean> },
): Promise<Engine> {
  const child = startChild(command);
  try {
    await waitUntilReady(child, options.isReady, options.signal);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { pid: child.pid!, settings: options.settings, stop: child.stop };
}
