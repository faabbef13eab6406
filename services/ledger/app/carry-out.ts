import type { Transaction } from "@ferry/platform/db";
import type { Account, AccountId } from "../domain/account.ts";
import type { Arrival, Changes, Credit, Hold, Outcome } from "../domain/books.ts";
import type { Command } from "../domain/commands.ts";
import { decide } from "../domain/decide.ts";
import { type InternalAccount, internalAccountsFor, stripeFor } from "../domain/internal-accounts.ts";

interface CommandStore {
  /** Locks in the order of ids. Unknown ids are left out. */
  lockAccounts(tx: Transaction, ids: readonly AccountId[]): Promise<Map<AccountId, Account>>;
  /** Locks one stripe of each, made when missing; by key, as given. */
  lockInternalAccounts(
    tx: Transaction,
    wanted: ReadonlyMap<string, InternalAccount>,
    stripe: number,
  ): Promise<Map<string, Account>>;
  findHolds(tx: Transaction, transferIds: readonly string[]): Promise<Map<string, Hold>>;
  findCredits(tx: Transaction, references: readonly string[]): Promise<Map<string, Credit>>;
  findArrivals(tx: Transaction, references: readonly string[]): Promise<Map<string, Arrival>>;
  saveChanges(tx: Transaction, changes: Changes): Promise<void>;
}

/**
 * Carries out a set of commands in a transaction; the outcomes come in the order of the commands.
 *
 * @param alongside Writes in the same transaction what follows from the outcomes. It is sent together
 * with the changes, so it must not read them.
 * @param elsewhere Accounts of other shards, as they were a moment ago: holds may name them as destinations.
 */
export type CarryOut = (
  tx: Transaction,
  commands: readonly Command[],
  alongside?: (outcomes: readonly Outcome[], changes: Changes) => Promise<void>,
  elsewhere?: ReadonlyMap<AccountId, Account>,
) => Promise<Outcome[]>;

/**
 * The one handler behind both doors, the bus and rpc.
 *
 * Locks are taken in one order by all: members' accounts by id, then the platform's own by id. What
 * is read under them (holds, credits) is read after them, so that it is as the last set left it: a
 * transaction's statements run one after another in the order in which they are asked for, each on a
 * snapshot of its own. They are only sent together, to save the ways between.
 */
export function createCarryOut({ store }: { store: CommandStore }): CarryOut {
  return async (tx, commands, alongside, elsewhere) => {
    if (commands.length === 0) return [];
    const transferIds = new Set<string>();
    const references = new Set<string>();
    const handedOver = new Set<string>();
    for (const command of commands)
      if (command.kind === "credit-account") references.add(command.reference);
      else if (command.kind === "receive-transfer") handedOver.add(command.reference);
      else transferIds.add(command.transferId);

    const [locked, holds, credits, arrivals] = await Promise.all([
      store.lockAccounts(tx, [...new Set(commands.flatMap(accountsOf))]),
      store.findHolds(tx, [...transferIds]),
      store.findCredits(tx, [...references]),
      store.findArrivals(tx, [...handedOver]),
    ]);
    const accounts = elsewhere === undefined ? locked : new Map([...elsewhere, ...locked]);
    const wanted = internalAccountsFor({ accounts, holds, credits, arrivals }, commands);
    const internal = await store.lockInternalAccounts(tx, wanted, stripeFor(commands));
    const { outcomes, changes } = decide({ accounts, internal, holds, credits, arrivals }, commands);
    await Promise.all([store.saveChanges(tx, changes), alongside?.(outcomes, changes)]);
    return outcomes;
  };
}

function accountsOf(command: Command): AccountId[] {
  switch (command.kind) {
    case "place-hold":
      return command.destinationAccountId === undefined
        ? [command.sourceAccountId]
        : [command.sourceAccountId, command.destinationAccountId];
    case "settle-hold":
      return command.destination.kind === "account"
        ? [command.sourceAccountId, command.destination.accountId]
        : [command.sourceAccountId];
    case "release-hold":
      return [command.sourceAccountId];
    case "credit-account":
    case "receive-transfer":
      return [command.accountId];
    default:
      return command satisfies never;
  }
}
