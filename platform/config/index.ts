import { z } from "zod";

/** Environment variables as a process gets them. Empty values count as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One environment variable: its name, its form, and what holds when it is absent. */
export interface Variable<T> {
  env: string;
  schema: z.ZodType<T, string>;
  /** One line for docs/configuration.md and for the message when the value is missing or malformed. */
  help: string;
  /** Holds in every mode. A function gets the whole environment. */
  fallback?: string | ((env: Environment) => string);
  /** Holds in local mode only: in production the variable must be given. */
  localFallback?: string | ((env: Environment) => string);
  /** Its value is never printed. */
  secret?: boolean;
}

export type Mode = "local" | "production";
type Values<Shape extends Record<string, Variable<unknown>>> = {
  readonly [Key in keyof Shape]: Shape[Key] extends Variable<infer T> ? T : never;
};

/** Bad or missing variables, all of them at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`configuration is not usable:\n  ${problems.join("\n  ")}`);
    this.problems = problems;
  }
}

/** Reads the mode: "local" unless FERRY_ENV says "production". @throws ConfigError for any other value. */
export function modeOf(env: Environment): Mode {
  const mode = env.FERRY_ENV || "local";
  if (mode === "local" || mode === "production") return mode;
  throw new ConfigError([`FERRY_ENV is ${JSON.stringify(mode)}: must be "local" or "production"`]);
}

/**
 * Reads all variables of a shape, once, and freezes what it got.
 *
 * @throws ConfigError that names every missing or malformed variable and says what would be right.
 */
export function loadConfig<Shape extends Record<string, Variable<unknown>>>(
  shape: Shape,
  env: Environment,
): Values<Shape> {
  const mode = modeOf(env);
  // Else every port and address that it shifts would be named in its place.
  const problems = portOffset(env) === undefined ? [offsetProblem(env)] : [];
  const values: Record<string, unknown> = {};
  for (const [key, variable] of Object.entries(shape)) {
    const fallback = variable.fallback ?? (mode === "local" ? variable.localFallback : undefined);
    const text = env[variable.env] || (typeof fallback === "function" ? fallback(env) : fallback);
    if (text === undefined) {
      problems.push(`${variable.env} is missing: ${variable.help}`);
      continue;
    }
    const parsed = variable.schema.safeParse(text);
    if (parsed.success) values[key] = parsed.data;
    else {
      const shown = variable.secret ? "(secret)" : JSON.stringify(text);
      problems.push(
        `${variable.env} is ${shown}: ${parsed.error.issues.map((issue) => issue.message).join(", ")} (${variable.help})`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(values) as Values<Shape>;
}

/** A whole number between two bounds, in decimal digits. */
export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`);

/** An address with one of the given protocols, as "http". */
export const address = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)),
      `must be an address that begins with ${protocols.map((protocol) => `${protocol}://`).join(" or ")}`,
    );

/** Hosts with ports, separated by commas, as Kafka's clients take them. */
export const hostList = z
  .string()
  .regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, "must be host:port, several separated by commas")
  .transform((text) => text.split(","));

const MAX_PORT_OFFSET = 50_000;

/** What every port that is not given is shifted by; undefined when what is said of it is no such number. */
function portOffset({ FERRY_PORT_OFFSET: text = "" }: Environment): number | undefined {
  if (text === "") return 0;
  return /^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT_OFFSET ? Number(text) : undefined;
}

const offsetProblem = ({ FERRY_PORT_OFFSET: text }: Environment) =>
  `FERRY_PORT_OFFSET is ${JSON.stringify(text)}: must be a whole number between 0 and ${MAX_PORT_OFFSET} (added to every port)`;

/** Shifts a fixed port by FERRY_PORT_OFFSET, so that two platforms can run side by side. */
export const shifted = (port: number) => (env: Environment) => String(port + (portOffset(env) ?? 0));

/** The port that a process listens on. */
export const portVariable = (env: string, port: number, help: string): Variable<number> => ({
  env,
  schema: wholeNumber(0, 65_535),
  fallback: shifted(port),
  help,
});

/** Where another part of the platform is found; on loopback in local mode. */
export const urlVariable = (env: string, port: number, help: string, ...protocols: string[]): Variable<string> => ({
  env,
  schema: address(...(protocols.length > 0 ? protocols : ["http", "https"])),
  localFallback: (all) => `http://127.0.0.1:${shifted(port)(all)}`,
  help,
});
