import type { ConnectRouter } from "@connectrpc/connect";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { Database } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import type { Service } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import { type Logger, silentLogger } from "@ferry/platform/telemetry";
import { createAnswerCommands } from "./app/answer-commands.ts";
import { createCarryOut } from "./app/carry-out.ts";
import { createCloseAccount } from "./app/close-account.ts";
import { createFreezeAccounts } from "./app/freeze-accounts.ts";
import { createGetAccounts } from "./app/get-accounts.ts";
import { createListAccounts } from "./app/list-accounts.ts";
import { createListEntries } from "./app/list-entries.ts";
import { createOpenAccount } from "./app/open-account.ts";
import { createRefunds } from "./app/refunds.ts";
import { createLedgerAudit } from "./audit/audit.ts";
import { createCommandsConsumer } from "./consumers/commands.ts";
import { createRefundsConsumer } from "./consumers/refunds.ts";
import { createAccountRpcs } from "./rpc/accounts.ts";
import { createCommandRpcs } from "./rpc/commands.ts";
import { createAccountStore } from "./store/account-store.ts";
import { createCommandStore } from "./store/command-store.ts";

export interface LedgerDeps {
  database: Database;
  bus: Bus;
  outbox: Outbox;
  /** Hears the auditor's alarms. Default: nobody does. */
  logger?: Logger;
}

/** Internal balances: accounts, double-entry postings, holds. One handler of commands stands behind the bus and behind rpc. */
export function createLedgerService({ database, bus, outbox, logger = silentLogger }: LedgerDeps): Service {
  const carryOut = createCarryOut({ store: createCommandStore() });
  const answerCommands = createAnswerCommands({ carryOut, outbox });
  const useCases = createAccountUseCases(database);
  const rpcs = { ...createAccountRpcs(useCases), ...createCommandRpcs({ database, carryOut }) };
  return {
    routes: (router: ConnectRouter) => void router.service(LedgerService, rpcs),
    components: [
      createCommandsConsumer({ bus, database, answerCommands }),
      createRefundsConsumer({ bus, database, refunds: createRefunds({ carryOut, outbox }) }),
    ],
    audit: createLedgerAudit({ database, outbox, logger, freezeAccounts: useCases.freezeAccounts }),
  };
}

function createAccountUseCases(database: Database) {
  const [db, store] = [database, createAccountStore()];
  const { findAccounts, getAccount } = createGetAccounts({ db, store });
  return {
    findAccounts,
    getAccount,
    openAccount: createOpenAccount({ db, store }),
    closeAccount: createCloseAccount({ database, store }),
    listAccounts: createListAccounts({ db, store }),
    listEntries: createListEntries({ db, store, getAccount }),
    ...createFreezeAccounts({ database, store }),
  };
}
