import { isInt64, type Queryable, readPageToken, writePageToken } from "@ferry/platform/db";
import { type AccountId, INT64_MAX } from "../domain/account.ts";
import { type AccountRecord, type EntryRecord, type Page, pageSizeOf, toPage } from "./records.ts";

interface EntryLister {
  listEntries(db: Queryable, accountId: AccountId, before: bigint, limit: number): Promise<EntryRecord[]>;
}

interface Options {
  db: Queryable;
  store: EntryLister;
  /** Rejects when the account is not the member's. */
  getAccount(id: AccountId, memberId: string): Promise<AccountRecord>;
}

/** Lists the postings on a member's account, newest first; postings made meanwhile do not shift the pages. */
export function createListEntries({ db, store, getAccount }: Options) {
  /**
   * @param pageSize 1 to 200; 0 means 50.
   * @throws FerryError NOT_FOUND, PAGE_TOKEN_INVALID.
   */
  return async (id: AccountId, memberId: string, pageSize: number, pageToken: string) => {
    const query = `entries:${id}`;
    const before = BigInt(readPageToken(query, pageToken, [isInt64])?.[0] ?? INT64_MAX);
    const account = await getAccount(id, memberId);
    const size = pageSizeOf(pageSize);
    const rows = await store.listEntries(db, id, before, size + 1);
    const page: Page<EntryRecord> = toPage(rows, size, (last) => writePageToken(query, [String(last.version)]));
    return { account, ...page };
  };
}
