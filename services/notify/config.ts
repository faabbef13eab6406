import { type Environment, loadConfig, type Variable, wholeNumber } from "@ferry/platform/config";
import { serviceVariables } from "@ferry/platform/lifecycle";
import { z } from "zod";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const SECRET_BYTES = 32;

/** After each failed attempt, so that the last of eleven comes about a day after the first. */
const RETRY_DELAYS_MS = [
  ...[5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS],
  ...[HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS, 8 * HOUR_MS, 8 * HOUR_MS],
];

const limit = (env: string, fallback: number, min: number, max: number, help: string): Variable<number> => ({
  env,
  schema: wholeNumber(min, max),
  fallback: String(fallback),
  help,
});

export const notifyVariables = {
  ...serviceVariables("notify", 9107),
  keySecret: {
    env: "FERRY_NOTIFY_KEY_SECRET",
    schema: z
      .string()
      .regex(/^[A-Za-z0-9+/]{43}=$/, `must be ${SECRET_BYTES} bytes in base64`)
      .transform((text) => Buffer.from(text, "base64"))
      .refine((secret) => new Set(secret).size > 8, "must be random bytes"),
    help: "secret that webhook secrets are sealed under: openssl rand -base64 32",
    secret: true,
  },
  targets: {
    env: "FERRY_NOTIFY_TARGETS",
    schema: z.enum(["public", "any"]),
    fallback: (env) => (env.FERRY_ENV === "production" ? "public" : "any"),
    help: 'where webhooks may go: "public" (https to public addresses) or "any" (http and loopback too; the default in local mode)',
  },
  retryDelaysMs: {
    env: "FERRY_NOTIFY_RETRY_DELAYS_MS",
    schema: z
      .string()
      .regex(/^\d{1,9}(,\d{1,9}){0,29}$/, "must be up to 30 whole numbers, separated by commas")
      .transform((text) => text.split(",").map(Number)),
    fallback: RETRY_DELAYS_MS.join(","),
    help: "pauses before each further attempt of a webhook, in ms, before jitter; after the last it is dead",
  },
  timeoutMs: limit("FERRY_NOTIFY_TIMEOUT_MS", 10_000, 100, 60_000, "time for a webhook's receiver to answer, in ms"),
  maxEndpoints: limit("FERRY_NOTIFY_MAX_ENDPOINTS", 10, 1, 100, "webhook endpoints of one member at most"),
  maxPending: limit(
    "FERRY_NOTIFY_MAX_PENDING",
    50_000,
    10,
    1_000_000,
    "deliveries that may wait for one endpoint; with more it is disabled",
  ),
  maxInFlight: limit("FERRY_NOTIFY_MAX_IN_FLIGHT", 128, 1, 4_096, "webhooks under way at once, in one process"),
  maxInFlightEach: limit(
    "FERRY_NOTIFY_MAX_IN_FLIGHT_EACH",
    8,
    1,
    256,
    "webhooks under way to one endpoint, by all processes; one that fails gets one at a time",
  ),
  disableAfterMs: limit(
    "FERRY_NOTIFY_DISABLE_AFTER_MS",
    5 * DAY_MS,
    1_000,
    90 * DAY_MS,
    "how long an endpoint may fail without one success before it is disabled, in ms",
  ),
  previousSecretMs: limit(
    "FERRY_NOTIFY_PREVIOUS_SECRET_MS",
    DAY_MS,
    0,
    30 * DAY_MS,
    "how long webhooks are signed with the old secret too after a rotation, in ms",
  ),
} satisfies Record<string, Variable<unknown>>;

export type NotifyConfig = ReturnType<typeof readConfig>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(notifyVariables, environment);
}
