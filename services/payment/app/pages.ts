import { isMicros, isUuid, readPageToken, writePageToken } from "@ferry/platform/db";
import type { Position } from "./payment-row.ts";

const DEFAULT_PAGE_SIZE = 50;

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
  const found = await read(size + 1, readPageToken(query, asked.pageToken, [isMicros, isUuid]));
  const page = found.slice(0, size);
  const last = found.length > size ? page.at(-1) : undefined;
  return {
    rows: page.map(({ row }) => row),
    nextPageToken: last === undefined ? "" : writePageToken(query, last.position),
  };
}
