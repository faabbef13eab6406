import { measuredOf } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { loopOf, withLoad } from "./plain.ts";

/** Half as long before and half after, so that a machine that grows faster or slower meanwhile does not tell. */
export const scenario: Scenario = {
  name: "hot-accounts",
  summary:
    "Half of all transfers are paid from 8 accounts; compared with mixed accounts before and after, on the same platform.",
  unit: "transfer",
  run: (context) =>
    withLoad(context, async (load) => {
      const { seconds, warmUpSeconds } = context.options;
      const loop = loopOf(context.options);
      const mixed = { plan: { mix: "bank", loop }, seconds: seconds / 2 } as const;
      const before = await load.measure({ ...mixed, name: "mixed", warmUpSeconds });
      const hot = await load.measure({ plan: { mix: "hot", loop }, name: "hot", warmUpSeconds: 2, seconds });
      const after = await load.measure({ ...mixed, name: "mixed again", warmUpSeconds: 2 });
      const measured = measuredOf(hot, await load.close());
      const done = before.figures.done + after.figures.done;
      const mixedPerSecond = done / (before.figures.seconds + after.figures.seconds);
      const mixedCpuMs = (before.metered.totalCpuMs + after.metered.totalCpuMs) / Math.max(1, done);
      measured.errors += measuredOf(before, []).errors + measuredOf(after, []).errors;
      measured.facts["mixed accounts, transfers per second"] = mixedPerSecond;
      measured.facts["mixed accounts, CPU ms per transfer"] = mixedCpuMs;
      measured.facts["share of mixed accounts"] = measured.transfersPerSecond / mixedPerSecond;
      return measured;
    }),
};
