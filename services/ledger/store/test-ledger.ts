import assert from "node:assert/strict";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createCarryOut } from "../app/carry-out.ts";
import type { Command, CreditAccount, PlaceHold, SettleHold } from "../domain/commands.ts";
import { createAccountStore } from "./account-store.ts";
import { createCommandStore } from "./command-store.ts";
import { ledgerMigrations } from "./migrations.ts";

/** For tests: what a database needs to become a ledger's. */
export const ledgerTemplate = { name: "ledger_store", run: (url: string) => migrate(url, [ledgerMigrations]) };

/** For tests: a ledger in a database of its own, made from the template. */
export function createTestLedger({ url, drop }: { url: string; drop(): Promise<void> }) {
  const database = openDatabase({ url, maxConnections: 8, connectTimeoutMs: 20_000 }); // 64 sets at once wait for them.
  const accounts = createAccountStore();
  const carryOut = createCarryOut({ store: createCommandStore() });
  let repeated = 0;
  async function send(...commands: Command[]) {
    let attempts = 0;
    const outcomes = await database.transaction((tx) => {
      if (++attempts > 1) repeated++;
      return carryOut(tx, commands);
    });
    return outcomes.map((outcome) => outcome.refusal);
  }
  return {
    database,
    accounts,
    /** How often a set had to be carried out again, after a deadlock or a lost race. */
    repeated: () => repeated,
    /** Carries out one set, and tells the refusals. */
    send,
    /** Opens an account with that much on it. */
    async open(balanceMinor: bigint, ownerId = newUuid()) {
      const account = await accounts.insertAccount(database, newUuid(), ownerId, "EUR");
      if (balanceMinor > 0n) assert.deepEqual(await send(credit(account.id, balanceMinor)), [undefined]);
      return account;
    },
    async find(id: string) {
      const account = (await accounts.findAccounts(database, [id])).get(id);
      assert.ok(account);
      return account;
    },
    async close() {
      await database.close();
      await drop();
    },
  };
}

export function credit(accountId: string, amountMinor: bigint, reference = newUuid()): CreditAccount {
  return { kind: "credit-account", reference, accountId, amountMinor, currency: "EUR", bankCode: "081" };
}

export function hold(source: { id: string; ownerId?: string }, amountMinor: bigint, to?: string): PlaceHold {
  return {
    kind: "place-hold",
    transferId: newUuid(),
    sourceAccountId: source.id,
    payerMemberId: source.ownerId ?? "",
    amountMinor,
    currency: "EUR",
    destinationAccountId: to,
    expired: false,
  };
}

/** The settle that fits a hold. */
export function settle({ transferId, sourceAccountId, destinationAccountId: accountId }: PlaceHold): SettleHold {
  const destination =
    accountId === undefined ? ({ kind: "bank", bankCode: "081" } as const) : ({ kind: "account", accountId } as const);
  return { kind: "settle-hold", transferId, sourceAccountId, destination };
}

/** Asserts what must hold of the tables at any time, by SQL of its own. */
export async function assertBooksHold(database: Database): Promise<void> {
  const unbalanced = `
    SELECT reference::text AS what, sum(amount)::text AS off FROM entry GROUP BY reference HAVING sum(amount) <> 0
    UNION ALL
    SELECT currency, sum(amount)::text FROM entry JOIN account ON account.id = account_id GROUP BY currency HAVING sum(amount) <> 0
    UNION ALL
    SELECT account.id::text, balance::text FROM account
    WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM entry WHERE account_id = account.id)
    UNION ALL
    SELECT account.id::text, held::text FROM account
    WHERE held <> (SELECT coalesce(sum(amount), 0) FROM hold WHERE account_id = account.id AND hold.state = 'held')
    UNION ALL
    SELECT account_id::text, balance_after::text FROM (
      SELECT *, sum(amount) OVER (PARTITION BY account_id ORDER BY version) AS running FROM entry
    ) AS entries WHERE running <> balance_after`;
  assert.deepEqual(await database.query(unbalanced), []);
}
