import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PageTokenSchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { FerryError } from "@ferry/platform/errors";

/** Sort keys of the last row of a page, as text. */
export type PageCursor = readonly string[];

/** Whether a sort key is one that may reach SQL. */
export type KeyCheck = (key: string) => boolean;

/** Makes the check of a key that is a whole number in digits, from 0 to the most that it can be. */
export function isWholeUpTo(most: bigint): KeyCheck {
  return (key) => /^\d{1,19}$/.test(key) && BigInt(key) <= most;
}

/** What int8 holds, from 0 up. */
export const isInt64: KeyCheck = isWholeUpTo(2n ** 63n - 1n);

/** Microseconds since 1970, up to the year 2286. */
export const isMicros: KeyCheck = isWholeUpTo(9_999_999_999_999_999n);

function hashOf(query: string): number {
  return createHash("sha256").update(query).digest().readUInt32LE(0);
}

/** Makes the opaque token of the next page. @param query All that the rows depend on, owner included. */
export function writePageToken(query: string, after: PageCursor): string {
  const token = create(PageTokenSchema, { queryHash: hashOf(query), after: [...after] });
  return Buffer.from(toBinary(PageTokenSchema, token)).toString("base64url");
}

/** As many keys as there are checks. */
type Checked<Checks extends readonly KeyCheck[]> = { readonly [Place in keyof Checks]: string };

/**
 * Reads a page token; an empty one is the first page.
 *
 * @param checks One for each sort key of the query, in their order. Anybody can write a token, so what is in it is
 * looked at before the database is.
 * @returns undefined for the first page.
 * @throws FerryError PAGE_TOKEN_INVALID when it was not made by us, or for another query.
 */
export function readPageToken<const Checks extends readonly KeyCheck[]>(
  query: string,
  text: string,
  checks: Checks,
): Checked<Checks> | undefined {
  if (text === "") return undefined;
  try {
    const { queryHash, after } = fromBinary(PageTokenSchema, Buffer.from(text, "base64url"));
    const genuine = writePageToken(query, after) === text && queryHash === hashOf(query);
    const sound = after.length === checks.length && checks.every((check, place) => check(after[place] ?? ""));
    if (genuine && sound) return after as unknown as Checked<Checks>;
  } catch {
    // Falls through: what cannot be decoded is not ours.
  }
  throw new FerryError("PAGE_TOKEN_INVALID", "page_token: not a token of this list");
}
