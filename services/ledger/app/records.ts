import type { Account } from "../domain/account.ts";

/** An account as its owner sees it. */
export interface AccountRecord extends Account {
  createdAt: Date;
}

/** A posting as the account's owner sees it. Amounts are minor units of the account's currency. */
export interface EntryRecord {
  /** Made of the account's id and the version: the same whenever it is read. UUID. */
  id: string;
  /** The transfer or top-up that it belongs to. */
  reference: string;
  amountMinor: bigint;
  balanceAfterMinor: bigint;
  /** Tells the order on the account. */
  version: bigint;
  createdAt: Date;
}

/** One page of a list. */
export interface Page<Item> {
  items: Item[];
  /** Empty on the last page. */
  nextPageToken: string;
}

const DEFAULT_PAGE_SIZE = 50;

/** Rows on a page, by the contract: 0 means 50. */
export function pageSizeOf(asked: number): number {
  return asked === 0 ? DEFAULT_PAGE_SIZE : asked;
}

/**
 * Makes a page of rows that were read with one row more than the page has.
 * @param tokenAfter Makes the token of the page that follows a row.
 */
export function toPage<Item>(rows: Item[], size: number, tokenAfter: (last: Item) => string): Page<Item> {
  const items = rows.slice(0, size);
  const last = items.at(-1);
  return { items, nextPageToken: rows.length > size && last !== undefined ? tokenAfter(last) : "" };
}
