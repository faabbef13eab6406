import { FerryError } from "@ferry/platform/errors";
import { currentContext, runInContext, type WorkContext } from "@ferry/platform/telemetry";

export interface BatcherOptions<Input, Output> {
  /** Answers a whole set, in its order. When it throws, every caller of the set gets the error. */
  run(inputs: readonly Input[]): Promise<readonly Output[]>;
  /** Callers in one set at most. Default 256. */
  maxSize?: number;
  /** How long the first caller of a set waits for others, in milliseconds. Default 2. */
  maxDelayMs?: number;
  /** Sets under way at once. While all are busy, callers gather. Default 2. */
  maxConcurrent?: number;
  /** Callers that may wait; one more is refused with OVERLOADED. Default 4,096. */
  maxWaiting?: number;
}

export interface Batcher<Input, Output> {
  add(input: Input): Promise<Output>;
}

interface Waiting<Input, Output> {
  input: Input;
  context: WorkContext;
  resolve(output: Output): void;
  reject(error: unknown): void;
}

/** Gathers concurrent calls of one kind and answers them as one set, so that many callers cost one statement. */
export function createBatcher<Input, Output>(options: BatcherOptions<Input, Output>): Batcher<Input, Output> {
  const { run, maxSize = 256, maxDelayMs = 2, maxConcurrent = 2, maxWaiting = 4_096 } = options;
  let waiting: Waiting<Input, Output>[] = [];
  let running = 0;
  let timer: NodeJS.Timeout | undefined;

  async function answer(set: readonly Waiting<Input, Output>[]): Promise<void> {
    try {
      const outputs = await run(set.map(({ input }) => input));
      if (outputs.length !== set.length) throw new Error(`a batch of ${set.length} got ${outputs.length} answers`);
      set.forEach(({ resolve }, index) => {
        resolve(outputs[index] as Output);
      });
    } catch (error) {
      for (const { reject } of set) reject(error);
    }
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length > 0 && running < maxConcurrent) {
      const set = waiting.slice(0, maxSize);
      waiting = waiting.slice(maxSize);
      running++;
      // In the trace of its first caller, but under nobody's deadline: it is the work of all of them.
      const { requestId, traceparent } = set[0]!.context;
      void runInContext({ requestId, traceparent }, () => answer(set)).finally(() => {
        running--;
        if (waiting.length > 0) flush();
      });
    }
  }

  return {
    add(input) {
      if (waiting.length >= maxWaiting)
        return Promise.reject(
          new FerryError("OVERLOADED", "too many calls wait for their turn", { retryAfterMs: 1_000 }),
        );
      return new Promise<Output>((resolve, reject) => {
        waiting.push({ input, context: currentContext(), resolve, reject });
        if (waiting.length >= maxSize) flush();
        else timer ??= setTimeout(flush, maxDelayMs);
      });
    },
  };
}
