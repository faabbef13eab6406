import { FerryError, type Reason } from "@ferry/platform/errors";
import { counter } from "@ferry/platform/telemetry";

const MAX_KNOWN = 10_000;

export interface FallbackOptions {
  /** As "ledger": who is asked. */
  upstream: string;
  /** How old an answer may be that is given instead, in milliseconds. */
  maxAgeMs: number;
  /** Answers kept at most; the one asked for longest ago is forgotten first. Default 10,000. */
  limit?: number;
  /** In milliseconds. Default a clock that only goes on: to one that was set back, an old answer would be young again. */
  now?(): number;
}

/** Nobody could be asked. Load that was shed is none of these: an old answer would only bring more of it. */
const AWAY: ReadonlySet<Reason> = new Set<Reason>(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);

const given = new Map<string, number>();
counter(
  "ferry_upstream_fallbacks_total",
  "Questions to the upstream that were answered from memory because it could not be asked.",
  ["upstream"],
).from(() => [...given].map(([upstream, value]) => ({ labels: { upstream }, value })));

/**
 * Asks as ever, and gives the last answer to the same question while nobody can be asked.
 *
 * Only for answers that may be a little old: what is decided on them is checked again where it counts. An
 * answer that there is none is not kept.
 */
export function withLastAnswer<Key, Answer>(
  ask: (key: Key) => Promise<Answer | undefined>,
  { upstream, maxAgeMs, limit = MAX_KNOWN, now = () => performance.now() }: FallbackOptions,
): (key: Key) => Promise<Answer | undefined> {
  const known = new Map<Key, { answer: Answer; atMs: number }>();

  function keep(key: Key, answer: Answer): void {
    known.delete(key);
    known.set(key, { answer, atMs: now() });
    if (known.size <= limit) return;
    const oldest = known.keys().next();
    if (!oldest.done) known.delete(oldest.value);
  }

  return async (key) => {
    try {
      const answer = await ask(key);
      if (answer === undefined) known.delete(key);
      else keep(key, answer);
      return answer;
    } catch (error) {
      const last = known.get(key);
      const isAway = error instanceof FerryError && AWAY.has(error.reason);
      if (!isAway || last === undefined || now() - last.atMs > maxAgeMs) throw error;
      given.set(upstream, (given.get(upstream) ?? 0) + 1);
      return last.answer;
    }
  };
}
