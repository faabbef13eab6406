import { nameUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import type { FreezeAudit } from "../app/freeze-accounts.ts";
import type { AccountRecord, EntryRecord } from "../app/records.ts";
import type { AccountId } from "../domain/account.ts";
import { type AccountRow, toAccount } from "./rows.ts";
import {
  CLOSE_ACCOUNT,
  FIND_ACCOUNTS,
  FIND_FREE_ACCOUNTS,
  INSERT_ACCOUNT,
  LIST_ACCOUNTS,
  LIST_ENTRIES,
  LOCK_ACCOUNT,
  LOCK_RECORDS,
  SAVE_STATES,
} from "./statements.ts";

type RecordRow = AccountRow & { created_at: Date };

interface EntryRow {
  reference: string;
  amount: bigint;
  balance_after: bigint;
  version: bigint;
  created_at: Date;
}

function toRecord(row: RecordRow): AccountRecord {
  return { ...toAccount(row), createdAt: row.created_at };
}

/** Reads accounts and entries as their owners see them, opens and closes accounts. */
export function createAccountStore() {
  return {
    async insertAccount(db: Queryable, id: AccountId, ownerId: string, currency: string): Promise<AccountRecord> {
      const [row] = await db.query<RecordRow>(INSERT_ACCOUNT, [id, ownerId, currency]);
      return toRecord(row!);
    },

    /** Unknown ids are left out. */
    async findAccounts(db: Queryable, ids: readonly AccountId[]): Promise<Map<AccountId, AccountRecord>> {
      const rows = await db.query<RecordRow>(FIND_ACCOUNTS, [ids]);
      return new Map(rows.map((row) => [row.id, toRecord(row)]));
    },

    /** Those that nobody has locked just now. */
    async findFree(db: Queryable, ids: readonly AccountId[]): Promise<Set<AccountId>> {
      return new Set((await db.query<{ id: AccountId }>(FIND_FREE_ACCOUNTS, [ids])).map(({ id }) => id));
    },

    async listAccounts(db: Queryable, ownerId: string, afterId: AccountId, limit: number): Promise<AccountRecord[]> {
      return (await db.query<RecordRow>(LIST_ACCOUNTS, [ownerId, afterId, limit])).map(toRecord);
    },

    async lockAccount(tx: Transaction, id: AccountId): Promise<AccountRecord | undefined> {
      const [row] = await tx.query<RecordRow>(LOCK_ACCOUNT, [id]);
      return row === undefined ? undefined : toRecord(row);
    },

    async saveClosed(tx: Transaction, account: AccountRecord): Promise<void> {
      await tx.query(CLOSE_ACCOUNT, [account.id, account.version]);
    },

    /** Locks in the order of ids. Unknown ids are left out. */
    async lockRecords(tx: Transaction, ids: readonly AccountId[]): Promise<AccountRecord[]> {
      return (await tx.query<RecordRow>(LOCK_RECORDS, [ids])).map(toRecord);
    },

    /** Of one order: they have one actor, action and reason. */
    async saveStates(tx: Transaction, changes: readonly FreezeAudit[]): Promise<void> {
      const { actor, action, reason } = changes[0]!;
      await tx.query(SAVE_STATES, [
        changes.map(({ after }) => after.id),
        changes.map(({ after }) => after.state),
        changes.map(({ after }) => after.version),
        changes.map(({ before }) => before.state),
        ...[actor, action, reason],
      ]);
    },

    async listEntries(db: Queryable, accountId: AccountId, before: bigint, limit: number): Promise<EntryRecord[]> {
      const rows = await db.query<EntryRow>(LIST_ENTRIES, [accountId, before, limit]);
      return rows.map((row) => ({
        id: nameUuid(accountId, String(row.version)),
        reference: row.reference,
        amountMinor: row.amount,
        balanceAfterMinor: row.balance_after,
        version: row.version,
        createdAt: row.created_at,
      }));
    },
  };
}
