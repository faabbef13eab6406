import type { ProgramContext, RunningPeer } from "../workload/program.ts";
import { createSets } from "../workload/sets.ts";

/** Two sets at a time: while one waits for its commit, the other is carried out. */
const SETS_AT_ONCE = 2;

/** The steps with nothing around them: what no engine can go below while it runs the same statements. */
export async function start({ pool, steps, carryOut, inFlight, settings }: ProgramContext): Promise<RunningPeer> {
  const stop = async () => {};
  if (settings.style === "sets") return { setSize: inFlight / SETS_AT_ONCE, carryOut: createSets(pool, steps), stop };
  return { carryOut: ([transfer]) => carryOut(steps, transfer!), stop };
}
