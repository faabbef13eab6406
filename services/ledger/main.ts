import { runService } from "@ferry/platform/lifecycle";
import { readConfig } from "./config.ts";
import { createLedgerService } from "./service.ts";
import { ledgerMigrations } from "./store/migrations.ts";

await runService({
  name: "ledger",
  config: readConfig(),
  migrations: [ledgerMigrations],
  create: createLedgerService,
});
