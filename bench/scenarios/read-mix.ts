import { plainScenario } from "./plain.ts";

export const scenario = plainScenario(
  "read-mix",
  "Nine reads (a transfer, a page of transfers, an account, a page of its entries) and one transfer to another bank; each counts as one.",
  "reads",
  "call",
);
