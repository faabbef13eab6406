import type { ConnectRouter } from "@connectrpc/connect";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { Database } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import type { Component, Service } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import { type Logger, silentLogger } from "@ferry/platform/telemetry";
import { inDoubtRoutes } from "@ferry/platform/two-phase";
import { createAnswerCommands, createAnswerSpread } from "./app/answer-commands.ts";
import { createCarryOut } from "./app/carry-out.ts";
import { createCloseAccount } from "./app/close-account.ts";
import { createFreezeAccounts } from "./app/freeze-accounts.ts";
import { createGetAccounts } from "./app/get-accounts.ts";
import { createListAccounts } from "./app/list-accounts.ts";
import { createListEntries } from "./app/list-entries.ts";
import { createOpenAccount } from "./app/open-account.ts";
import { createRefunds } from "./app/refunds.ts";
import { spreadAccountStore, spreadStateChanges } from "./app/spread-accounts.ts";
import { createSpreadCommands } from "./app/spread-commands.ts";
import { createSpreadRefunds } from "./app/spread-refunds.ts";
import { createLedgerAudit } from "./audit/audit.ts";
import { createCommandsConsumer } from "./consumers/commands.ts";
import { createRefundsConsumer } from "./consumers/refunds.ts";
import { type AccountUseCases, createAccountRpcs } from "./rpc/accounts.ts";
import { createCommandRpcs } from "./rpc/commands.ts";
import { type OpenShards, openShards, type ShardingConfig, shardName } from "./shards.ts";
import { createAccountStore } from "./store/account-store.ts";
import { createCommandStore } from "./store/command-store.ts";

export interface LedgerDeps {
  database: Database;
  bus: Bus;
  outbox: Outbox;
  /** Hears the auditor's alarms. Default: nobody does. */
  logger?: Logger;
  /** Default: all accounts lie in the one database. */
  config?: ShardingConfig;
}

/** Internal balances: accounts, double-entry postings, holds. One handler of commands stands behind the bus and behind rpc. */
export function createLedgerService({ database, bus, outbox, logger = silentLogger, config }: LedgerDeps): Service {
  const books =
    config !== undefined && config.shards.length > 0
      ? spreadBooks(openShards({ config, database, bus, logger }), config.shards)
      : oneBook(database, outbox);
  const rpcs = { ...createAccountRpcs(books.accounts), ...createCommandRpcs(books) };
  return {
    routes(router: ConnectRouter) {
      router.service(LedgerService, rpcs);
      inDoubtRoutes(router, books.coordinator);
    },
    components: [
      ...books.components,
      createCommandsConsumer({ bus, ...books }),
      createRefundsConsumer({ bus, refunds: books.refunds }),
    ],
    audit: createLedgerAudit({
      ...{ database, outbox, logger, freezeAccounts: books.accounts.freezeAccounts, shards: books.shards },
      spansTwo: books.coordinator !== undefined,
    }),
  };
}

/** All that the doors need of the books, in one database or in several. */
interface Ledger {
  accounts: AccountUseCases;
  carryOutSet: Parameters<typeof createCommandRpcs>[0]["carryOutSet"];
  answer: Parameters<typeof createCommandsConsumer>[0]["answer"];
  refunds: Parameters<typeof createRefundsConsumer>[0]["refunds"];
  takesHandOvers: boolean;
  coordinator: OpenShards["coordinator"];
  components: readonly Component[];
  /** Where the accounts are, when not in the service's own database. */
  shards: NonNullable<Parameters<typeof createLedgerAudit>[0]["shards"]>;
}

function oneBook(database: Database, outbox: Outbox): Ledger {
  const carryOut = createCarryOut({ store: createCommandStore() });
  const answerCommands = createAnswerCommands({ carryOut, outbox });
  const refunds = createRefunds({ carryOut, outbox });
  const store = createAccountStore();
  return {
    accounts: { ...readsOf(database, store), ...stateChangesOf(database, store) },
    carryOutSet: (commands) => database.transaction((tx) => carryOut(tx, commands)),
    answer: (received) => database.transaction((tx) => answerCommands(tx, received)),
    refunds: {
      book: (requested) => database.transaction((tx) => refunds.book(tx, requested)),
      takeBack: (refused) => database.transaction((tx) => refunds.takeBack(tx, refused)),
    },
    ...{ takesHandOvers: false, coordinator: undefined, components: [], shards: [] },
  };
}

function spreadBooks(
  { shards, shardOf, coordinator, components, ...over }: OpenShards,
  urls: readonly string[],
): Ledger {
  const databases = shards.map(({ database }) => database);
  const own = createAccountStore();
  const store = { ...own, ...spreadAccountStore({ shards: databases, shardOf, store: own }) };
  const commands = createSpreadCommands({ shards, shardOf, ...over });
  const changes = databases.map((database) => stateChangesOf(database, own));
  return {
    accounts: { ...readsOf(databases[0]!, store), ...spreadStateChanges(changes, shardOf) },
    carryOutSet: (set) => commands.carryOut(set, (command) => command),
    answer: createAnswerSpread(commands.carryOut),
    refunds: createSpreadRefunds({ shards, shardOf, commands }),
    ...{ takesHandOvers: true, coordinator, components },
    shards: shards.map(({ database, position }) => ({ name: shardName(position), database, url: urls[position]! })),
  };
}

function readsOf(db: Database, store: Omit<AccountStore, "lockAccount" | "saveClosed" | "lockRecords" | "saveStates">) {
  const { findAccounts, getAccount } = createGetAccounts({ db, store });
  return {
    findAccounts,
    getAccount,
    openAccount: createOpenAccount({ db, store }),
    listAccounts: createListAccounts({ db, store }),
    listEntries: createListEntries({ db, store, getAccount }),
  };
}

function stateChangesOf(database: Database, store: AccountStore) {
  return { closeAccount: createCloseAccount({ database, store }), ...createFreezeAccounts({ database, store }) };
}

type AccountStore = ReturnType<typeof createAccountStore>;
