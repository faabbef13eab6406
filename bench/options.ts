import { parseArgs } from "node:util";
import { whyNotBeside } from "./beside.ts";
import { SCENARIOS } from "./scenarios.ts";

export interface BenchOptions {
  /** Names of scenarios, in the order in which they run. */
  scenarios: string[];
  /** Seconds measured, or undefined for each scenario's own. */
  seconds: number | undefined;
  warmUpSeconds: number;
  /** Transfers open at once in the closed loop. */
  inFlight: number;
  /** Transfers a second in the open loop, or undefined for the closed loop. */
  rate: number | undefined;
  accounts: number;
  /** Transfers that the scenario `history` puts into the books. */
  history: number;
  jsonFile: string | undefined;
  againstFile: string | undefined;
  /** The folder of another checkout, to be measured side by side with this one. */
  besideDirectory: string | undefined;
  /** Turns that each of two platforms gets, with `besideDirectory` and in the scenario `history`. */
  rounds: number;
  profile: boolean;
  peers: boolean;
  kafka: boolean;
}

export type ParsedArguments =
  | { kind: "run"; options: BenchOptions }
  | { kind: "help" }
  | { kind: "list" }
  | { kind: "wrong"; message: string };

export const HELP = `npm run bench [-- options]   measures Ferry: starts a fresh platform, drives it through the edge, checks the books

  --scenario NAME   which to run; may be given more than once, or as a list with commas; "all" for every one
                    (default: bank-transfers)
  --list            the scenarios, a line each
  --seconds N       seconds measured (default 20; steady 600, overload 60, idle 30)
  --warm-up N       seconds before that (default 8)
  --in-flight N     transfers open at once (default 256)
  --rate N          open loop: N transfers a second, times measured from when each was due
  --accounts N      accounts that pay (default 256)
  --history N       transfers that the scenario history puts into the books first (default 1000000)
  --json FILE       where the report goes; the page goes beside it (default: .ferry/bench/<time>-<scenario>.json)
  --against FILE    compare with an earlier report, CPU normalised by both calibrations
  --beside DIR      measure the checkout in DIR (set up by npm ci) and this one side by side, in turns of 3 s: both
                    platforms are up, so their ratio is sure to a few percent; transfers to another bank, closed loop
  --rounds N        turns of each with --beside and in the scenario history (default 16; 24 are sure to 2 %)
  --profile         write a CPU profile of every Node process, and print where its time goes
  --peers           measure the peers in the same run
  --kafka           use Apache Kafka instead of the development broker (needs Java 17 and Maven)
  --help            this text

Exit code: 0; 1 when the books do not hold or errors occurred; 2 when an option is wrong.`;

const flags = {
  scenario: { type: "string", multiple: true },
  list: { type: "boolean" },
  seconds: { type: "string" },
  "warm-up": { type: "string" },
  "in-flight": { type: "string" },
  rate: { type: "string" },
  accounts: { type: "string" },
  history: { type: "string" },
  json: { type: "string" },
  against: { type: "string" },
  beside: { type: "string" },
  rounds: { type: "string" },
  profile: { type: "boolean" },
  peers: { type: "boolean" },
  kafka: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

class WrongOption extends Error {}

function readNumber(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new WrongOption(`--${name} takes a number from ${least} to ${most}, not "${text}"`);
  return value;
}

function readWhole(name: string, text: string | undefined, least: number, most: number): number | undefined {
  const value = readNumber(name, text, least, most);
  if (value !== undefined && !Number.isInteger(value))
    throw new WrongOption(`--${name} takes a whole number, not "${text}"`);
  return value;
}

function readScenarios(given: readonly string[] | undefined): string[] {
  const known = Object.keys(SCENARIOS);
  const names = (given ?? [known[0]!])
    .flatMap((text) => text.split(","))
    .flatMap((name) => (name === "all" ? known : [name]));
  const unknown = names.find((name) => !(name in SCENARIOS));
  if (unknown !== undefined)
    throw new WrongOption(`--scenario: there is no "${unknown}"; there are ${known.join(", ")}`);
  return [...new Set(names)];
}

/** What stands for one platform, or is of one scenario, means nothing beside another. */
const NOT_BESIDE = ["scenario", "rate", "history", "against", "profile", "peers", "kafka"] as const;

function readBeside(directory: string | undefined, given: Readonly<Record<string, unknown>>): string | undefined {
  if (directory === undefined) return undefined;
  const other = NOT_BESIDE.find((name) => given[name] !== undefined);
  if (other !== undefined) throw new WrongOption(`--beside does not go with --${other}`);
  const why = whyNotBeside(directory);
  if (why !== undefined) throw new WrongOption(`--beside: ${why}`);
  return directory;
}

/** Reads the command line. Nothing is printed and nothing ends here. */
export function readArguments(args: readonly string[]): ParsedArguments {
  try {
    const { values } = parseArgs({ args: [...args], options: flags, strict: true });
    if (values.help) return { kind: "help" };
    if (values.list) return { kind: "list" };
    return {
      kind: "run",
      options: {
        scenarios: readScenarios(values.scenario),
        seconds: readNumber("seconds", values.seconds, 1, 86_400),
        warmUpSeconds: readNumber("warm-up", values["warm-up"], 0, 3_600) ?? 8,
        inFlight: readWhole("in-flight", values["in-flight"], 1, 4_000) ?? 256,
        rate: readNumber("rate", values.rate, 0.1, 100_000),
        accounts: readWhole("accounts", values.accounts, 16, 100_000) ?? 256,
        history: readWhole("history", values.history, 1_000, 100_000_000) ?? 1_000_000,
        jsonFile: values.json,
        againstFile: values.against,
        besideDirectory: readBeside(values.beside, values),
        rounds: readWhole("rounds", values.rounds, 2, 1_000) ?? 16,
        profile: values.profile ?? false,
        peers: values.peers ?? false,
        kafka: values.kafka ?? false,
      },
    };
  } catch (error) {
    const known = error instanceof WrongOption || (error instanceof TypeError && "code" in error);
    if (!known) throw error;
    return { kind: "wrong", message: error.message };
  }
}
