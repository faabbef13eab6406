import type { LoadPlan, Mix } from "../driver/protocol.ts";
import { Load, measuredOf } from "../load.ts";
import type { BenchOptions } from "../options.ts";
import type { Measured, Scenario, ScenarioContext, Unit } from "../scenario.ts";

/** Requests that may be open in an open loop, before more count as not sent: four seconds of the aimed thousand. */
export const MAX_OPEN = 4_000;

/** The loop that the options ask for: open with a rate, closed without. */
export function loopOf({ rate, inFlight }: Pick<BenchOptions, "rate" | "inFlight">): LoadPlan["loop"] {
  return rate === undefined ? { kind: "closed", inFlight } : { kind: "open", ratePerSecond: rate, maxOpen: MAX_OPEN };
}

/** Opens a load, does something with it, and ends it whatever happens. */
export async function withLoad<T>(context: ScenarioContext, work: (load: Load) => Promise<T>): Promise<T> {
  const load = await Load.open(context);
  try {
    return await work(load);
  } catch (error) {
    load.abandon();
    throw error;
  }
}

/** A scenario of one phase with one mix of requests. */
export function plainScenario(name: string, summary: string, mix: Mix, unit: Unit): Scenario {
  return {
    name,
    summary,
    unit,
    run: (context): Promise<Measured> =>
      withLoad(context, async (load) => {
        const { options } = context;
        const phase = await load.measure({
          name,
          plan: { mix, loop: loopOf(options) },
          warmUpSeconds: options.warmUpSeconds,
          seconds: options.seconds,
        });
        return measuredOf(phase, await load.close());
      }),
  };
}
