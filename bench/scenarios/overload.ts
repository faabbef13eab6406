import { measuredOf } from "../load.ts";
import type { LoadSecond, Scenario } from "../scenario.ts";
import { withLoad } from "./plain.ts";

const SECONDS_AT_MAXIMUM = 8;
const TIMES_MAXIMUM = 3;
/** Before and after: what the platform carries with ease. */
const EASY_SHARE = 0.5;
const EASY_SECONDS = 10;
const RECOVERY_SECONDS = 40;
/** More than the edge takes at once (FERRY_MAX_IN_FLIGHT, 2,048), so that it is the one to refuse. */
const MAX_OPEN = 8_000;
/** Normal again: within so many times the p99 of before, or this much more where that is short. */
const NORMAL_TIMES = 1.5;
const NORMAL_MORE_MS = 100;
/** And for so many seconds in a row. A lone slow one later is the machine's: they come without any overload, too. */
const NORMAL_SECONDS = 5;

/**
 * After how many seconds p99 was normal for a while, and nothing was refused any more.
 *
 * @returns seconds, up to the number of seconds given when it never was.
 */
export function recoverySeconds(seconds: readonly LoadSecond[], usualP99Ms: number): number {
  const bound = Math.max(usualP99Ms * NORMAL_TIMES, usualP99Ms + NORMAL_MORE_MS);
  const isNormalFrom = (at: number) =>
    seconds.slice(at, at + NORMAL_SECONDS).every(({ p99Ms, errors }) => p99Ms <= bound && errors === 0);
  const first = seconds.findIndex((_, at) => at + NORMAL_SECONDS <= seconds.length && isNormalFrom(at));
  const lastRefusal = seconds.findLastIndex(({ errors }) => errors > 0);
  return first === -1 ? seconds.length : Math.max(first, lastRefusal + 1);
}

export const scenario: Scenario = {
  name: "overload",
  summary:
    "Open loop at three times of what the same platform did at most: what still ends well, how the rest is refused, and when it is over.",
  unit: "transfer",
  seconds: 60,
  run: (context) =>
    withLoad(context, async (load) => {
      const { seconds, warmUpSeconds, inFlight } = context.options;
      const closed = { mix: "bank", loop: { kind: "closed", inFlight } } as const;
      const most = await load.measure({ plan: closed, name: "maximum", warmUpSeconds, seconds: SECONDS_AT_MAXIMUM });
      const maximum = most.figures.done / most.figures.seconds;
      const easy = maximum * EASY_SHARE;
      const phases = await load.measureStretches("bank", MAX_OPEN, [
        { name: "before", ratePerSecond: easy, seconds: EASY_SECONDS },
        { name: "overload", ratePerSecond: maximum * TIMES_MAXIMUM, seconds },
        { name: "after", ratePerSecond: easy, seconds: RECOVERY_SECONDS },
      ]);
      const [before, over, after] = phases.map(({ figures }) => figures);
      const measured = measuredOf(phases[1]!, await load.close());
      const all = [most.figures, ...most.aside, ...phases.flatMap(({ figures, aside }) => [figures, ...aside])];
      const refused = all.reduce((sum, one) => sum + one.refused.tooMany + one.refused.unavailable, 0);
      const polite = all.reduce((sum, one) => sum + one.refused.withRetryAfter, 0);
      // To be refused with a time to come again is what is wanted here; everything else is an error.
      measured.errors = all.reduce((sum, one) => sum + one.failed + one.unsent, 0) + refused - polite;
      measured.facts["maximum, transfers per second"] = maximum;
      measured.facts["offered, transfers per second"] = maximum * TIMES_MAXIMUM;
      measured.facts["goodput, share of the maximum"] = measured.transfersPerSecond / maximum;
      measured.facts["answered 429"] = over!.refused.tooMany;
      measured.facts["answered 503"] = over!.refused.unavailable;
      measured.facts["refused without Retry-After"] = refused - polite;
      measured.facts["not sent, as many as allowed were open"] = all.reduce((sum, one) => sum + one.unsent, 0);
      measured.facts["p99 ms before"] = before!.p99Ms;
      measured.facts["seconds until normal"] = recoverySeconds(after!.perSecond, before!.p99Ms);
      return measured;
    }),
};
