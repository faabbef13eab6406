import { type Environment, loadConfig, urlVariable, wholeNumber } from "@ferry/platform/config";
import { serviceVariables } from "@ferry/platform/lifecycle";

export const transferVariables = {
  ...serviceVariables("transfer", 9104),
  memberUrl: urlVariable("FERRY_MEMBER_URL", 9101, "where the member service is"),
  ledgerUrl: urlVariable("FERRY_LEDGER_URL", 9102, "where the ledger service is"),
  parkAfterMs: {
    env: "FERRY_PARK_AFTER_MS",
    schema: wholeNumber(1_000, 604_800_000),
    fallback: (env: Environment) => (env.FERRY_ENV === "production" ? "86400000" : "30000"),
    help: "how long a step is retried before its saga waits for an operator, in ms; default 24 h, 30 s in local mode",
  },
};

export type TransferConfig = ReturnType<typeof readConfig>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(transferVariables, environment);
}
