import { isUuid, readPageToken } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";

/**
 * The id that a page of a list begins after; undefined for the first page. Anybody can write a page token, so what
 * is in it is looked at before the database is.
 *
 * @throws FerryError PAGE_TOKEN_INVALID.
 */
export function readIdCursor(query: string, pageToken: string): string | undefined {
  const [id] = readPageToken(query, pageToken, 1) ?? [];
  if (id !== undefined && !isUuid(id))
    throw new FerryError("PAGE_TOKEN_INVALID", "page_token: not a token of this list");
  return id;
}
