import { plainScenario } from "./plain.ts";

export const scenario = plainScenario(
  "internal-transfers",
  "Transfers between accounts of the platform: held and settled, without the bank.",
  "internal",
  "transfer",
);
