import { setTimeout as pause } from "node:timers/promises";
import { startMeter } from "../measure/meter.ts";
import { emptyMeasured, type Scenario } from "../scenario.ts";
import { withLoad } from "./plain.ts";

/** After some use, so that connections are open and nothing is just starting. */
const USE_SECONDS = 3;
const USE_IN_FLIGHT = 16;

export const scenario: Scenario = {
  name: "idle",
  summary: "A platform that was used a moment ago and has nothing to do: CPU of all processes in percent of one core.",
  unit: "transfer",
  seconds: 30,
  run: (context) =>
    withLoad({ ...context, options: { ...context.options, accounts: 16 } }, async (load) => {
      const { seconds, warmUpSeconds } = context.options;
      const loop = { kind: "closed", inFlight: USE_IN_FLIGHT } as const;
      const used = await load.measure({
        plan: { mix: "bank", loop },
        name: "in use",
        warmUpSeconds: 0,
        seconds: USE_SECONDS,
      });
      const findings = await load.close(); // The driver is gone from here on.
      context.log(`  resting for ${warmUpSeconds} s, then measuring for ${seconds} s`);
      await pause(warmUpSeconds * 1_000);
      const meter = startMeter(load.platform.roots);
      await pause(seconds * 1_000);
      const { totalCpuMs, cpuMs, machine, samples, window, seconds: took } = meter.stop();
      const percent = (ms: number) => (ms / 1_000 / took) * 100;
      return {
        ...emptyMeasured(),
        measuredSeconds: took,
        machine,
        samples,
        window,
        errors: used.figures.failed,
        errorKinds: used.figures.errorKinds,
        booksOk: findings.length === 0,
        booksFindings: findings,
        facts: {
          "CPU of all processes, percent of one core": percent(totalCpuMs),
          ...Object.fromEntries(
            Object.entries(cpuMs).map(([name, ms]) => [`CPU of ${name}, percent of one core`, percent(ms)]),
          ),
        },
      };
    }),
};
