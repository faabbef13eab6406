import { Histogram } from "../driver/histogram.ts";

/** What a process did in one round. */
export interface LoopFigures {
  count: number;
  /** What a round was for and did not come about; its first words in `example`. */
  errors: number;
  example: string;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

/** Keeps so many calls under way for so long, then waits for the last of them. */
export async function closedLoop(
  call: () => Promise<unknown>,
  { seconds, inFlight }: { seconds: number; inFlight: number },
): Promise<LoopFigures> {
  const times = new Histogram();
  let [errors, example] = [0, ""];
  const startedAt = performance.now();
  const untilMs = startedAt + seconds * 1_000;
  const caller = async () => {
    for (let before = performance.now(); before < untilMs; ) {
      try {
        await call();
      } catch (error) {
        if (errors++ === 0) example = String(error);
        if (errors > MAX_ERRORS) return;
      }
      const after = performance.now();
      times.add(after - before);
      before = after;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return {
    count: times.count - Math.min(errors, times.count),
    errors,
    example,
    seconds: (performance.now() - startedAt) / 1_000,
    p50Ms: times.percentile(0.5),
    p99Ms: times.percentile(0.99),
  };
}

/** A call that always fails must not spin for the whole round. */
const MAX_ERRORS = 1_000;
