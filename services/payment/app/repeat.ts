export interface RepeatOptions {
  /** As "announce-again". */
  name: string;
  /** @returns how many things it did. */
  run(): Promise<number>;
  /** Pause between runs, in milliseconds. */
  everyMs: number;
  /** Hears of a run that did something. */
  did(count: number): void;
  /** Hears of a run that failed; the next one may succeed. */
  failed(error: unknown): void;
}

/** Runs something again and again, one run at a time. */
export function createRepeat({ name, run, everyMs, did, failed }: RepeatOptions) {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  async function round(): Promise<void> {
    try {
      const count = await run();
      if (count > 0) did(count);
    } catch (error) {
      failed(error);
    }
    later();
  }

  function later(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      running = round();
    }, everyMs);
  }

  return {
    name,
    async start() {
      later();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
