import { counter, histogram } from "@ferry/platform/telemetry";

/** Upper bounds of the latency histograms, in seconds. */
const BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BOUNDS_MS = BOUNDS_SECONDS.map((seconds) => seconds * 1_000);

/** What became of the calls of one rpc. Counting one costs about 0.1 us: an addition, and a search among the bounds. */
export class CallFigures {
  /** By "OK" or the reason of the failure. */
  readonly codes = new Map<string, number>();
  readonly counts = new Float64Array(BOUNDS_MS.length + 1);
  sumMs = 0;

  /** @param startedAtMs As `performance.now()` gave it. */
  count(code: string, startedAtMs: number): void {
    const durationMs = performance.now() - startedAtMs;
    let place = 0;
    while (place < BOUNDS_MS.length && durationMs > BOUNDS_MS[place]!) place++;
    this.counts[place] = this.counts[place]! + 1;
    this.sumMs += durationMs;
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
  }
}

/** The figures of one side of all calls, by path of the rpc. */
function figuresOf(side: "server" | "client", what: string) {
  const byPath = new Map<string, CallFigures>();
  const calls = counter(`ferry_rpc_${side}_calls_total`, `Calls that ${what}, by rpc and outcome: OK or the reason.`, [
    "rpc",
    "code",
  ]);
  calls.from(() =>
    [...byPath].flatMap(([rpc, { codes }]) => [...codes].map(([code, value]) => ({ labels: { rpc, code }, value }))),
  );
  const times = histogram(
    `ferry_rpc_${side}_call_seconds`,
    `How long calls took that ${what}; streams count when they end.`,
    BOUNDS_SECONDS,
    ["rpc"],
  );
  times.from(() =>
    [...byPath]
      .filter(([, { codes }]) => codes.size > 0)
      .map(([rpc, { counts, sumMs }]) => ({ labels: { rpc }, counts, sum: sumMs / 1_000 })),
  );
  return (path: string): CallFigures => {
    const found = byPath.get(path) ?? new CallFigures();
    byPath.set(path, found);
    return found;
  };
}

/** The figures of an rpc that this process serves. */
export const servedFigures = figuresOf("server", "this process answered");
/** The figures of an rpc that this process calls. Each attempt of a call that is tried again counts. */
export const calledFigures = figuresOf("client", "this process made");
