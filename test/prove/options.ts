import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export const PARTS = ["simulation", "faults", "matrix"] as const;
export type PartName = (typeof PARTS)[number];

export interface ProveOptions {
  help: boolean;
  /** "short" is what `npm test` does; "full" has the faults last as long as they are meant to. */
  form: "short" | "hour" | "full";
  seed: number;
  parts: readonly PartName[];
  /** The parts take the place of those of the last run in the folder, whose others stay. */
  again: boolean;
  /** Folder of the reports in JSON. */
  directory: string;
  /** Minutes for all parts together; the matrix takes what the others leave. */
  minutes: number;
}

export const HELP = `npm run prove [-- options]   proves that no money is lost, doubled or invented, in under an hour on two cores

  --short              a few minutes: npm test does as much
  --full               every fault at its real length, every point killed 20 times; takes longer than an hour
  --only PART          one part alone: ${PARTS.join(", ")}; may be given more than once
  --again PART         one part of the last whole run once more, after a change that concerns it alone: the page says
                       at which commit each part ran; may be given more than once
  --seed N             what is left to chance comes of this number (default: of the clock)
  --minutes N          time for all parts together (default 59)
  --directory PATH     folder for the reports in JSON (default .ferry/proof)
  --help               this text

Writes docs/proof.md when all parts ran, or one again, unless --short. Exit code 0: green; 1: red.`;

const REPOSITORY = resolve(import.meta.dirname, "../..");
const DEFAULT_MINUTES = 59;
const SHORT_MINUTES = 4;

/** @throws Error that names a wrong option. */
export function readOptions(args: readonly string[], nowMs: number): ProveOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", default: false },
      short: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      again: { type: "string", multiple: true, default: [] },
      seed: { type: "string", default: String(nowMs % 1_000_000_000) },
      minutes: { type: "string" },
      directory: { type: "string", default: join(REPOSITORY, ".ferry", "proof") },
    },
  });
  const again = values.again.length > 0;
  const chosen = again ? values.again : values.only;
  const wrong = chosen.find((name) => !(PARTS as readonly string[]).includes(name));
  if (wrong !== undefined) throw new Error(`--${again ? "again" : "only"} takes ${PARTS.join(", ")}, not ${wrong}`);
  if (again && (values.only.length > 0 || values.short))
    throw new Error("--again is for a part of a whole run: neither --only nor --short goes with it");
  if (values.short && values.full) throw new Error("--short and --full exclude each other");
  const minutes = Number(values.minutes ?? (values.short ? SHORT_MINUTES : DEFAULT_MINUTES));
  if (!(minutes > 0)) throw new Error("--minutes must be a number above 0");
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error("--seed must be a whole number");
  return {
    ...{ help: values.help, seed, minutes, directory: resolve(values.directory) },
    form: values.short ? "short" : values.full ? "full" : "hour",
    parts: PARTS.filter((name) => chosen.length === 0 || chosen.includes(name)),
    again,
  };
}
