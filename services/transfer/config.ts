import { type Environment, loadConfig, urlVariable, wholeNumber } from "@ferry/platform/config";
import { parkAfterVariable, serviceVariables } from "@ferry/platform/lifecycle";

export const transferVariables = {
  ...serviceVariables("transfer", 9104),
  memberUrl: urlVariable("FERRY_MEMBER_URL", 9101, "where the member service is"),
  ledgerUrl: urlVariable("FERRY_LEDGER_URL", 9102, "where the ledger service is"),
  bankingUrl: urlVariable(
    "FERRY_BANKING_URL",
    9103,
    "where the banking service is: its records are asked by the auditor",
  ),
  parkAfterMs: parkAfterVariable,
  batchLinesUnderWay: {
    env: "FERRY_BATCH_LINES_UNDER_WAY",
    schema: wholeNumber(1, 10_000),
    fallback: "128",
    help: "lines of batches that are on their way at once; the others wait, so that batches leave room for transfers",
  },
};

export type TransferConfig = ReturnType<typeof readConfig>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(transferVariables, environment);
}
