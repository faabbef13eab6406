import { measuredOf } from "../load.ts";
import { memoryGrowth } from "../measure/growth.ts";
import type { Scenario } from "../scenario.ts";
import { MAX_OPEN, withLoad } from "./plain.ts";

const SHARE_OF_MAXIMUM = 0.6;
const SECONDS_AT_MAXIMUM = 10;

export const scenario: Scenario = {
  name: "steady",
  summary:
    "Open loop at 60 % of what the same platform did at most, for ten minutes: the share within one second, and whether memory is flat.",
  unit: "transfer",
  seconds: 600,
  run: (context) =>
    withLoad(context, async (load) => {
      const { seconds, warmUpSeconds, inFlight, rate } = context.options;
      const closed = { mix: "bank", loop: { kind: "closed", inFlight } } as const;
      const most = await load.measure({ plan: closed, name: "maximum", warmUpSeconds, seconds: SECONDS_AT_MAXIMUM });
      const maximum = most.figures.done / most.figures.seconds;
      const ratePerSecond = rate ?? maximum * SHARE_OF_MAXIMUM;
      const [phase] = await load.measureStretches("bank", MAX_OPEN, [{ name: "steady", ratePerSecond, seconds }]);
      const measured = measuredOf(phase!, await load.close());
      measured.errors += measuredOf(most, []).errors;
      const growth = memoryGrowth(measured.samples, seconds);
      measured.facts["maximum, transfers per second"] = maximum;
      measured.facts["rate, transfers per second"] = ratePerSecond;
      measured.facts["share within one second"] = 1 - measured.shareOverOneSecond;
      for (const [name, share] of Object.entries(growth))
        measured.facts[`memory of ${name}, last tenth over second tenth`] = share;
      return measured;
    }),
};
