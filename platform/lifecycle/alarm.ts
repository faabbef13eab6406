import type { Logger } from "@ferry/platform/telemetry";

export interface AlarmOptions {
  /** Does what is due and gives when it wants to be called again at the latest, Unix time in milliseconds. */
  ring(): Promise<number>;
  /** After a failure, and at the latest anyway, in milliseconds. */
  pollMs: number;
  /** What the log says when it fails. */
  what: string;
  logger: Logger;
  now(): number;
}

/** One timer that rings at the earliest time that it was told of. It never rings twice at once. */
export function createAlarm({ ring, pollMs, what, logger, now }: AlarmOptions) {
  let timer: NodeJS.Timeout | undefined;
  let setForMs = Number.POSITIVE_INFINITY;
  let isRinging = false;
  let ringing: Promise<void> | undefined;
  let stopped = true;

  function set(atMs: number): void {
    clearTimeout(timer);
    setForMs = atMs;
    timer = setTimeout(start, Math.min(Math.max(atMs - now(), 0), pollMs));
  }

  function start(): void {
    setForMs = Number.POSITIVE_INFINITY;
    ringing = once();
  }

  async function once(): Promise<void> {
    let nextMs = now() + pollMs;
    isRinging = true;
    try {
      nextMs = await ring();
    } catch (error) {
      logger.warn({ error: String(error) }, what);
    }
    isRinging = false;
    // What was told of meanwhile may be earlier.
    if (!stopped) set(Math.min(nextMs, setForMs));
  }

  return {
    start() {
      stopped = false;
      set(now());
    },
    /** Rings by then; a time that is later than the one it is set for changes nothing. */
    wakeBy(atMs: number): void {
      if (stopped || atMs >= setForMs) return;
      if (isRinging) setForMs = atMs;
      else set(atMs);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await ringing;
    },
  };
}
