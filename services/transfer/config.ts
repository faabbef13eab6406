import { type Environment, loadConfig, urlVariable } from "@ferry/platform/config";
import { parkAfterVariable, serviceVariables } from "@ferry/platform/lifecycle";

export const transferVariables = {
  ...serviceVariables("transfer", 9104),
  memberUrl: urlVariable("FERRY_MEMBER_URL", 9101, "where the member service is"),
  ledgerUrl: urlVariable("FERRY_LEDGER_URL", 9102, "where the ledger service is"),
  parkAfterMs: parkAfterVariable,
};

export type TransferConfig = ReturnType<typeof readConfig>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(transferVariables, environment);
}
