import { loadConfig } from "@ferry/platform/config";
import { serviceVariables } from "@ferry/platform/lifecycle";

/** The ledger has no variables beyond those of every service. */
export const ledgerVariables = serviceVariables("ledger", 9102);

/** Reads the configuration of this process. @throws ConfigError that names every bad variable. */
export function readConfig() {
  return loadConfig(ledgerVariables, process.env);
}
