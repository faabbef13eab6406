import { generateHistory } from "../history/generate.ts";
import { measuredOf } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { loopOf, withLoad } from "./plain.ts";

/** The platform without a history is also the younger one, whose code is still being compiled: it gets more time to warm up. */
const EMPTY_WARM_UPS = 3;

export const scenario: Scenario = {
  name: "history",
  summary:
    "Transfers to another bank with a million transfers in the books, compared with the same platform when it had none.",
  unit: "transfer",
  run: (context) =>
    withLoad(context, async (load) => {
      const { options, log } = context;
      const plan = { mix: "bank", loop: loopOf(options) } as const;
      const { seconds, warmUpSeconds } = options;
      const empty = await load.measure({ plan, name: "empty", warmUpSeconds: warmUpSeconds * EMPTY_WARM_UPS, seconds });
      const { completed } = await generateHistory(load.platform, load.setUp, options.history, log);
      load.addCompleted(completed);
      const full = await load.measure({ plan, name: "with history", warmUpSeconds, seconds });
      const measured = measuredOf(full, await load.close());
      const before = measuredOf(empty, []);
      measured.errors += before.errors;
      measured.facts["transfers in the books before"] = completed;
      measured.facts["empty, transfers per second"] = before.transfersPerSecond;
      measured.facts["empty, CPU ms per transfer"] = before.cpuMsPerTransfer;
      measured.facts["share of the empty platform"] = measured.transfersPerSecond / before.transfersPerSecond;
      measured.facts["CPU over that of the empty platform"] = measured.cpuMsPerTransfer / before.cpuMsPerTransfer;
      return measured;
    }),
};
