export interface SweeperOptions {
  /** Keeps leases and takes over what was left. @returns how many calls were taken over. */
  sweep(): Promise<number>;
  /** Pause between sweeps, in milliseconds. */
  everyMs: number;
  /** Hears of calls that were taken over. */
  tookOver(count: number): void;
  /** Hears of a sweep that failed; the next one may succeed. */
  failed(error: unknown): void;
}

/** Sweeps at the start and then again and again, one sweep at a time. */
export function createSweeper({ sweep, everyMs, tookOver, failed }: SweeperOptions) {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let sweeping: Promise<void> | undefined;

  async function round(): Promise<void> {
    try {
      const count = await sweep();
      if (count > 0) tookOver(count);
    } catch (error) {
      failed(error);
    }
    if (!stopped) timer = setTimeout(begin, everyMs);
  }

  function begin(): void {
    sweeping = round();
  }

  return {
    name: "pending-calls",
    async start() {
      begin();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await sweeping;
    },
  };
}
