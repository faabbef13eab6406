import { generateHistory } from "../history/generate.ts";
import { Load, measuredOf } from "../load.ts";
import { mean } from "../measure/growth.ts";
import type { Scenario } from "../scenario.ts";
import { compareTurns, ratioOf, type Turn, takeTurns } from "../turns.ts";
import { loopOf } from "./plain.ts";

const count = (turns: readonly Turn[]) => turns.reduce((sum, { errors }) => sum + errors, 0);

/**
 * The empty platform stands beside the one with the history, in turns: what a shared machine does between two runs
 * is more than what a history costs.
 */
export const scenario: Scenario = {
  name: "history",
  summary:
    "Transfers to another bank with a million transfers in the books, side by side with a platform that has none.",
  unit: "transfer",
  async run(context) {
    const { options, log } = context;
    const { seconds, warmUpSeconds, rounds } = options;
    const plan = { mix: "bank", loop: loopOf(options) } as const;
    const loads: Load[] = [];
    async function open(name: string): Promise<Load> {
      const load = await Load.open(context);
      loads.push(load);
      await load.measure({ plan, name: `${name}, to warm up`, warmUpSeconds: 0, seconds: warmUpSeconds });
      return load;
    }
    try {
      const full = await open("for the history");
      const empty = await open("empty");
      const { completed } = await generateHistory(full.platform, full.setUp, options.history, log);
      full.addCompleted(completed);
      for (const load of loads)
        await load.measure({ plan, name: "to warm up", warmUpSeconds: 0, seconds: warmUpSeconds });
      const [without, withHistory] = await takeTurns([empty, full], { plan, rounds, log });
      for (const line of compareTurns(without, withHistory, ["empty", "history"])) log(line);
      const last = await full.measure({ plan, name: "with history", warmUpSeconds: 1, seconds });
      const measured = measuredOf(last, [...(await full.close()), ...(await empty.close())]);
      measured.errors += count(without) + count(withHistory);
      const ratio = (read: (turn: Turn) => number) => ratioOf(without.map(read), withHistory.map(read));
      const throughput = ratio(({ transfersPerSecond }) => transfersPerSecond);
      measured.facts["transfers in the books before"] = completed;
      measured.facts["empty, transfers per second"] = mean(without.map(({ transfersPerSecond }) => transfersPerSecond));
      measured.facts["share of the empty platform"] = throughput.mean;
      measured.facts["standard error of the share"] = throughput.standardError;
      measured.facts["CPU over that of the empty platform"] = ratio(({ cpuMsPerTransfer }) => cpuMsPerTransfer).mean;
      return measured;
    } finally {
      for (const load of loads) load.abandon();
    }
  },
};
