import { asObject, BadInput } from "./input.ts";

/** Faults for all accounts. They are not kept: a bank that starts anew has none. */
export interface Faults {
  /** Waits this long before each request is looked at. */
  latencyMs: number;
  /** The share of requests, 0 to 1, that get a 503 and have no effect. */
  errorRate: number;
  /** Requests are taken, have no effect, and get no answer. */
  silence: boolean;
  /** Nothing listens on the bank's port, and connections that were open are cut. */
  refuseConnections: boolean;
}

export const NO_FAULTS: Faults = Object.freeze({
  latencyMs: 0,
  errorRate: 0,
  silence: false,
  refuseConnections: false,
});
const MAX_LATENCY_MS = 60_000;

/** Reads the whole set; what is absent is off. A name that is not known is refused, since a typing error would test nothing. */
export function readFaults(body: unknown): Faults {
  const fields = asObject(body, "body");
  const unknown = Object.keys(fields).find((name) => !(name in NO_FAULTS));
  if (unknown !== undefined) throw new BadInput(unknown, `is not one of ${Object.keys(NO_FAULTS).join(", ")}`);
  const { latencyMs, errorRate, silence, refuseConnections } = { ...NO_FAULTS, ...fields } as Record<string, unknown>;
  if (typeof latencyMs !== "number" || !(latencyMs >= 0 && latencyMs <= MAX_LATENCY_MS)) {
    throw new BadInput("latencyMs", `must be a number from 0 to ${MAX_LATENCY_MS}`);
  }
  if (typeof errorRate !== "number" || !(errorRate >= 0 && errorRate <= 1)) {
    throw new BadInput("errorRate", "must be a number from 0 to 1");
  }
  if (typeof silence !== "boolean") throw new BadInput("silence", "must be true or false");
  if (typeof refuseConnections !== "boolean") throw new BadInput("refuseConnections", "must be true or false");
  return { latencyMs, errorRate, silence, refuseConnections };
}
