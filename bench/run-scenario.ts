import { calibrate, calibrationOf } from "./measure/calibration.ts";
import type { Roots } from "./measure/cpu.ts";
import type { BenchOptions } from "./options.ts";
import { type BenchPlatform, startBenchPlatform } from "./platform.ts";
import type { Scenario, ScenarioReport } from "./scenario.ts";

const DEFAULT_SECONDS = 20;
/** The one that is measured, and one to compare it with. */
const MOST_PLATFORMS = 2;

export interface RunParts {
  options: BenchOptions;
  node: string;
  commit: string;
  log(line: string): void;
  /** Variables for every platform, as the brokers to use. */
  environment: Record<string, string>;
  /** Processes that count for the platform but are not its launcher's. */
  beside: Roots;
  /** Told of a platform that is being started, so that an interrupt ends it too. */
  starting(platform: Promise<BenchPlatform>): void;
}

/** Options as the report keeps them: those that were given or have a default. */
function reportedOptions(options: BenchOptions, seconds: number): ScenarioReport["options"] {
  const { warmUpSeconds, inFlight, rate, accounts, profile, kafka } = options;
  return { seconds, warmUpSeconds, inFlight, accounts, profile, kafka, ...(rate === undefined ? {} : { rate }) };
}

/**
 * Runs one scenario on platforms of its own, with the machine's speed taken before and after.
 *
 * @param ended told when the platform, the first where there are two, has stopped and before its data goes.
 */
export async function runScenario(
  scenario: Scenario,
  parts: RunParts,
  ended: (platform: BenchPlatform, report: ScenarioReport) => void,
): Promise<ScenarioReport> {
  const { options, log, node, commit } = parts;
  const seconds = options.seconds ?? scenario.seconds ?? DEFAULT_SECONDS;
  const startedAt = new Date().toISOString();
  log(`${scenario.name}: ${scenario.summary}`);
  const beforeMs = await calibrate();
  const platforms: BenchPlatform[] = [];
  try {
    const measured = await scenario.run({
      options: { ...options, seconds },
      log,
      async startPlatform(environment = {}) {
        if (platforms.length === MOST_PLATFORMS) throw new Error(`${scenario.name} started one platform too many`);
        const starting = startBenchPlatform({
          environment: { ...parts.environment, ...environment },
          beside: parts.beside,
        });
        parts.starting(starting);
        const platform = await starting;
        platforms.push(platform);
        return platform;
      },
    });
    for (const { platform } of platforms) await platform.interrupt();
    const afterMs = await calibrate();
    const report: ScenarioReport = {
      scenario: scenario.name,
      summary: scenario.summary,
      unit: scenario.unit,
      startedAt,
      ...measured,
      calibration: calibrationOf(beforeMs, afterMs),
      node,
      commit,
      options: reportedOptions(options, seconds),
    };
    const [first] = platforms;
    if (first !== undefined) ended(first, report);
    return report;
  } finally {
    for (const { platform } of platforms) await platform.stop();
  }
}
