import { isUuid, type PageCursor, readPageToken, writePageToken } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Position } from "./payment-row.ts";

const DEFAULT_PAGE_SIZE = 50;

/** What a cursor must look like before it may reach SQL: microseconds since 1970, up to the year 2286, and a UUID. */
function positionOf(cursor: PageCursor | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  const [time = "", id = ""] = cursor;
  if (/^\d{1,16}$/.test(time) && isUuid(id)) return [time, id];
  throw new FerryError("PAGE_TOKEN_INVALID", "page_token: not a token of this list");
}

/**
 * One page of a list, newest first.
 *
 * @param query Names the list: a token of another is refused.
 * @param asked `pageSize` 0 means 50.
 * @param read Gives at most `limit` rows that come after a position.
 * @throws FerryError PAGE_TOKEN_INVALID.
 */
export async function readPage<Row>(
  query: string,
  asked: { pageSize: number; pageToken: string },
  read: (limit: number, after: Position | undefined) => Promise<{ row: Row; position: Position }[]>,
): Promise<{ rows: Row[]; nextPageToken: string }> {
  const size = asked.pageSize || DEFAULT_PAGE_SIZE;
  const found = await read(size + 1, positionOf(readPageToken(query, asked.pageToken, 2)));
  const page = found.slice(0, size);
  const last = found.length > size ? page.at(-1) : undefined;
  return {
    rows: page.map(({ row }) => row),
    nextPageToken: last === undefined ? "" : writePageToken(query, last.position),
  };
}
