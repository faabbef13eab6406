import { isUuid, type Queryable, readPageToken, writePageToken } from "@ferry/platform/db";
import type { AccountId } from "../domain/account.ts";
import { type AccountRecord, type Page, pageSizeOf, toPage } from "./records.ts";

interface AccountLister {
  listAccounts(db: Queryable, ownerId: string, afterId: AccountId, limit: number): Promise<AccountRecord[]>;
}

const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";

/** Lists a member's accounts, oldest first. */
export function createListAccounts({ db, store }: { db: Queryable; store: AccountLister }) {
  /**
   * @param pageSize 1 to 200; 0 means 50.
   * @throws FerryError PAGE_TOKEN_INVALID.
   */
  return async (memberId: string, pageSize: number, pageToken: string): Promise<Page<AccountRecord>> => {
    const query = `accounts:${memberId}`;
    const afterId = readPageToken(query, pageToken, [isUuid])?.[0] ?? BEFORE_ALL;
    const size = pageSizeOf(pageSize);
    const rows = await store.listAccounts(db, memberId, afterId, size + 1);
    return toPage(rows, size, (last) => writePageToken(query, [last.id]));
  };
}
