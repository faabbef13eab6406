import { type Environment, loadConfig, urlVariable } from "@ferry/platform/config";
import { parkAfterVariable, serviceVariables } from "@ferry/platform/lifecycle";

export const paymentVariables = {
  ...serviceVariables("payment", 9105),
  memberUrl: urlVariable("FERRY_MEMBER_URL", 9101, "where the member service is"),
  ledgerUrl: urlVariable("FERRY_LEDGER_URL", 9102, "where the ledger service is"),
  bankingUrl: urlVariable(
    "FERRY_BANKING_URL",
    9103,
    "where the banking service is: its records are asked by the auditor",
  ),
  parkAfterMs: parkAfterVariable,
};

export type PaymentConfig = ReturnType<typeof readConfig>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(paymentVariables, environment);
}
