import { fileURLToPath } from "node:url";
import type { Migrations } from "@ferry/platform/db";

export const ledgerMigrations: Migrations = {
  name: "ledger",
  directory: fileURLToPath(new URL("./migrations", import.meta.url)),
};
