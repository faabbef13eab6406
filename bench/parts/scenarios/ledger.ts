import { contestLedger } from "../ledger/contest.ts";
import { partScenario } from "../part-scenario.ts";

export const scenario = partScenario({
  name: "ledger",
  summary: "The ledger alone, holds and settlements in sets: CPU of Node and PostgreSQL, beside pg alone and pgbench.",
  unit: "transfer",
  contest: contestLedger,
});
