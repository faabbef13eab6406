import type { Logger } from "@ferry/platform/telemetry";
import type { Component } from "./process.ts";

export interface EveryOptions {
  /** Names the component, as "purger". */
  name: string;
  /** From the end of one turn to the beginning of the next, in milliseconds. */
  periodMs: number;
  /** One turn. The signal is aborted by the stop, so that a long turn can end early. */
  work(stopping: AbortSignal): Promise<void>;
  /** What the log says when a turn fails. */
  what: string;
  logger: Logger;
  /** Whether the first turn begins with the start, and not a period later. Default false. */
  atStart?: boolean;
}

/**
 * Does a piece of work again and again, one turn at a time. A turn that fails is a warning in the log, and the next
 * one may succeed. The stop waits for the turn that runs; the timer alone keeps no process alive.
 */
export function every({ name, periodMs, work, what, logger, atStart = false }: EveryOptions) {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  async function turn(): Promise<void> {
    try {
      await work(stopping.signal);
    } catch (error) {
      logger.warn({ error: String(error) }, what);
    }
    later();
  }

  function begin(): void {
    running = turn();
  }

  function later(): void {
    if (!stopping.signal.aborted) timer = setTimeout(begin, periodMs).unref();
  }

  return {
    name,
    async start() {
      if (atStart) begin();
      else later();
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  } satisfies Component;
}
