import { type Environment, loadConfig, urlVariable, wholeNumber } from "@ferry/platform/config";
import { serviceVariables } from "@ferry/platform/lifecycle";
import { z } from "zod";

export const bankingVariables = {
  ...serviceVariables("banking", 9103),
  bankUrl: urlVariable("BANK_URL", 9200, "where the bank's REST API is"),
  bankCode: {
    env: "FERRY_BANK_CODE",
    schema: z.string().regex(/^[0-9]{3}$/, "must be three digits"),
    fallback: "081",
    help: "code of the bank at BANK_URL",
  },
  bankTimeoutMs: {
    env: "FERRY_BANK_TIMEOUT_MS",
    schema: wholeNumber(100, 60_000),
    fallback: (env: Environment) => (env.FERRY_ENV === "production" ? "5000" : "2000"),
    help: "how long the bank may take to answer, in ms, well below the 8 s of a caller; default 5 s, 2 s in local mode",
  },
  bankConnections: {
    env: "FERRY_BANK_CONNECTIONS",
    schema: wholeNumber(1, 1_000),
    fallback: "128",
    help: "connections to the bank, and calls under way at once",
  },
};

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(bankingVariables, environment);
}
