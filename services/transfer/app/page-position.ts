import type { PageCursor } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";

/**
 * What a cursor of a list by time must look like before it may reach SQL: microseconds since 1970, up to the year
 * 2286, and a UUID. @throws FerryError PAGE_TOKEN_INVALID.
 */
export function positionOf(cursor: PageCursor | undefined): readonly [string, string] | undefined {
  if (cursor === undefined) return undefined;
  const [time = "", id = ""] = cursor;
  if (/^\d{1,16}$/.test(time) && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return [time, id];
  throw new FerryError("PAGE_TOKEN_INVALID", "page_token: not a token of this list");
}
