import type { Transaction } from "@ferry/platform/db";
import type { Account, AccountId } from "../domain/account.ts";
import type { Changes, Hold, Outcome } from "../domain/books.ts";
import type { SettleHold } from "../domain/commands.ts";
import { decide } from "../domain/decide.ts";
import { type InternalAccount, internalAccountKey, stripeFor } from "../domain/internal-accounts.ts";

interface SideStore {
  lockAccounts(tx: Transaction, ids: readonly AccountId[]): Promise<Map<AccountId, Account>>;
  lockInternalAccounts(
    tx: Transaction,
    wanted: ReadonlyMap<string, InternalAccount>,
    stripe: number,
  ): Promise<Map<string, Account>>;
  findHolds(tx: Transaction, transferIds: readonly string[]): Promise<Map<string, Hold>>;
  saveChanges(tx: Transaction, changes: Changes): Promise<void>;
}

/** One shard's part in a transaction over two. */
export interface Side {
  position: number;
  store: SideStore;
  tx: Transaction;
}

/**
 * Settles holds of one shard for payees in another, in a transaction that spans both: the payers' side
 * ends the holds, and each side gets its own postings. What is decided is what one database would decide.
 *
 * The lower shard is locked first, and in each the members' accounts by id and then the platform's own:
 * the order of all who lock, so that nobody waits in a circle over databases, where none could see it.
 */
export async function settleBetween(
  { from, to }: { from: Side; to: Side },
  commands: readonly SettleHold[],
  alongside?: (outcomes: readonly Outcome[]) => Promise<void>,
): Promise<Outcome[]> {
  const lockPayers = async () =>
    Promise.all([
      from.store.lockAccounts(from.tx, unique(commands.map(({ sourceAccountId }) => sourceAccountId))),
      from.store.findHolds(from.tx, unique(commands.map(({ transferId }) => transferId))),
    ]);
  const lockPayees = async () => {
    const accounts = await to.store.lockAccounts(to.tx, unique(commands.flatMap(payeeOf)));
    const internal = await to.store.lockInternalAccounts(to.tx, suspenseFor(accounts), stripeFor(commands));
    return { accounts, internal };
  };

  const isPayerFirst = from.position < to.position;
  const payersFirst = isPayerFirst ? await lockPayers() : undefined;
  const payees = await lockPayees();
  const [payers, holds] = payersFirst ?? (await lockPayers());

  const accounts = new Map([...payers, ...payees.accounts]);
  const books = { accounts, internal: payees.internal, holds, credits: new Map() };
  const { outcomes, changes } = decide(books, commands);
  const isPayer = (accountId: AccountId) => payers.has(accountId);
  await Promise.all([
    from.store.saveChanges(from.tx, {
      ...changes,
      accounts: changes.accounts.filter(({ id }) => isPayer(id)),
      entries: changes.entries.filter(({ accountId }) => isPayer(accountId)),
    }),
    to.store.saveChanges(to.tx, {
      ...{ newHolds: [], endedHolds: [], newCredits: [], newArrivals: [], departures: [] },
      accounts: changes.accounts.filter(({ id }) => !isPayer(id)),
      entries: changes.entries.filter(({ accountId }) => !isPayer(accountId)),
    }),
    alongside?.(outcomes),
  ]);
  return outcomes;
}

function payeeOf({ destination }: SettleHold): AccountId[] {
  return destination.kind === "account" ? [destination.accountId] : [];
}

/** A hold's currency is its payee's, so the payees that are closed tell which accounts may be needed for them. */
function suspenseFor(accounts: ReadonlyMap<AccountId, Account>): Map<string, InternalAccount> {
  const wanted = new Map<string, InternalAccount>();
  for (const { state, currency } of accounts.values()) {
    const suspense: InternalAccount = { kind: "suspense", currency };
    if (state === "closed") wanted.set(internalAccountKey(suspense), suspense);
  }
  return wanted;
}

function unique<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items)];
}
