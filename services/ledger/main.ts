import { runService } from "@ferry/platform/lifecycle";
import { twoPhaseMigrations } from "@ferry/platform/two-phase";
import { readConfig } from "./config.ts";
import { createLedgerService } from "./service.ts";
import { ledgerMigrations } from "./store/migrations.ts";

const config = readConfig();

await runService({
  name: "ledger",
  config,
  migrations: config.shards.length > 0 ? [ledgerMigrations, twoPhaseMigrations] : [ledgerMigrations],
  create: createLedgerService,
});
