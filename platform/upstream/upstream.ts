import { FerryError } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import {
  BrokenCircuitError,
  CircuitState,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  SamplingBreaker,
} from "cockatiel";
import { watchUpstream } from "./metrics.ts";

const WINDOW_MS = 10_000;
const MIN_CALLS = 20;
/** Well above what single bad accounts or slow requests come to; an upstream that is away fails all of its calls. */
const SHARE_TO_OPEN = 0.7;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const MAX_IN_FLIGHT = 2_000;

export type UpstreamState = "closed" | "open" | "half-open";

export interface UpstreamOptions {
  /** As "ledger" or "bank-081". */
  name: string;
  /** Whether a call that ended with this error says that the upstream itself is ill. Refusals and shed load do not. */
  isIllError(error: unknown): boolean;
  /** Whether an answer says so. Default: none does. */
  isIllAnswer?(answer: unknown): boolean;
  /** Calls under way at once; one more is refused. Default 2,000. */
  maxInFlight?: number | undefined;
  breaker?: BreakerOptions | undefined;
  logger: Logger;
}

export interface BreakerOptions {
  /** Calls are judged over so long, in milliseconds. Default 10,000. */
  windowMs?: number;
  /** With fewer calls in the window it never opens. Default 20. */
  minCalls?: number;
  /** It opens when more than this share of the calls failed, above 0 and below 1. Default 0.7. */
  shareToOpen?: number;
  /**
   * How long it stays open at most before one call may try, in milliseconds; about doubled with each try that fails.
   * Each pause is of random length below that, so that callers do not come back together. Default 250.
   */
  firstPauseMs?: number;
  /** The longest of these pauses, in milliseconds. Default 5,000. */
  longestPauseMs?: number;
}

/** What can be seen of an upstream. */
export interface UpstreamStatus {
  name: string;
  state: UpstreamState;
  inFlight: number;
  maxInFlight: number;
  /** How often the breaker has opened since the start. */
  opened: number;
  /** Calls that were not made because the breaker was open. */
  refusedOpen: number;
  /** Calls that were not made because there were too many. */
  refusedFull: number;
}

export interface Upstream {
  /**
   * Makes a call, unless the upstream is known to be ill or has too many of them.
   *
   * @throws FerryError UNAVAILABLE while the breaker is open, OVERLOADED when there are too many calls; what
   * the call itself throws comes as it is.
   */
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Whether one more call would be refused for want of room: to know it before there is a call to make is cheaper. */
  isFull(): boolean;
  status(): UpstreamStatus;
  /** Takes it out of the metrics. */
  close(): void;
}

type End<T> = { kind: "answered" | "ill"; answer: T } | { kind: "refused"; error: unknown };

/**
 * A breaker and a bulkhead around the calls to one upstream, so that one that is ill fails at once instead of
 * holding whoever calls it, and cannot take all the room that there is.
 *
 * Closed, all calls are made. When enough of them fail it opens: calls are refused at once. After a pause one
 * call may try: if that goes well it closes, else it stays open for twice as long.
 */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { name, logger, maxInFlight = MAX_IN_FLIGHT, isIllError, isIllAnswer = () => false } = options;
  const settings = options.breaker ?? {};
  const { windowMs = WINDOW_MS, minCalls = MIN_CALLS, shareToOpen: threshold = SHARE_TO_OPEN } = settings;
  const { longestPauseMs = LONGEST_PAUSE_MS } = settings;
  const isIllEnd = (end: unknown) => (end as End<unknown>).kind === "ill";
  const breaker = circuitBreaker(handleWhen(isIllError).orWhenResult(isIllEnd), {
    halfOpenAfter: new ExponentialBackoff({
      initialDelay: settings.firstPauseMs ?? FIRST_PAUSE_MS,
      maxDelay: longestPauseMs,
    }),
    breaker: new SamplingBreaker({ threshold, duration: windowMs, minimumRps: (minCalls * 1_000) / windowMs }),
  });
  let inFlight = 0;
  let openedAtMs = 0;
  const counts = { opened: 0, refusedOpen: 0, refusedFull: 0 };
  breaker.onStateChange((state) => {
    if (state === CircuitState.Open) {
      counts.opened++;
      openedAtMs = performance.now();
    }
    if (state === CircuitState.Closed) logger.info({ upstream: name }, "an upstream is well again: the breaker closes");
    else if (state === CircuitState.Open) logger.warn({ upstream: name }, "an upstream is ill: the breaker opens");
  });

  const isFull = () => inFlight >= maxInFlight;
  const status = (): UpstreamStatus => ({
    ...{ name, state: STATES[breaker.state], maxInFlight, inFlight },
    ...counts,
  });
  return {
    async run(call) {
      // While one call tries, the others would wait for it without a limit of their own.
      if (breaker.state === CircuitState.HalfOpen) throw refusedOpen();
      if (isFull()) throw refusedFull();
      inFlight++;
      try {
        const ended = await breaker.execute(() => endOf(call));
        if (ended.kind === "refused") throw ended.error;
        return ended.answer;
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        if (isStuck()) breaker.isolate().dispose(); // Which closes it: the next calls try.
        throw refusedOpen();
      } finally {
        inFlight--;
      }
    },
    isFull,
    status,
    close: watchUpstream({ status }),
  };

  /** The library counts what it does not handle neither way; to us a refusal is the answer of an upstream that is well. */
  async function endOf<T>(call: () => Promise<T>): Promise<End<T>> {
    try {
      const answer = await call();
      return { kind: isIllAnswer(answer) ? "ill" : "answered", answer };
    } catch (error) {
      if (isIllError(error)) throw error;
      return { kind: "refused", error };
    }
  }

  /** The library times its pauses by the system's clock: set back by an hour, an open breaker would stay open for it. */
  function isStuck(): boolean {
    return performance.now() - openedAtMs > 2 * longestPauseMs;
  }

  function refusedOpen(): FerryError {
    counts.refusedOpen++;
    return new UpstreamIll(name);
  }

  function refusedFull(): FerryError {
    counts.refusedFull++;
    return new FerryError("OVERLOADED", `too many calls to ${name} at once`, { retryAfterMs: 1_000 });
  }
}

const STATES: Readonly<Record<CircuitState, UpstreamState>> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.Open]: "open",
  [CircuitState.HalfOpen]: "half-open",
  [CircuitState.Isolated]: "open",
};

/** The call was not made: its upstream is known to be ill. To try again at once is of no use. */
export class UpstreamIll extends FerryError {
  constructor(name: string) {
    super("UNAVAILABLE", `${name} fails, and is left alone for a moment`, { retryAfterMs: 1_000 });
  }
}
