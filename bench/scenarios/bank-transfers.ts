import { plainScenario } from "./plain.ts";

export const scenario = plainScenario(
  "bank-transfers",
  "Transfers to another bank from mixed accounts: the whole way, verified, held, sent and settled.",
  "bank",
  "transfer",
);
