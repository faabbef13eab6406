import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PageTokenSchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { FerryError } from "@ferry/platform/errors";

/** Sort keys of the last row of a page, as text. */
export type PageCursor = readonly string[];

function hashOf(query: string): number {
  return createHash("sha256").update(query).digest().readUInt32LE(0);
}

/** Makes the opaque token of the next page. @param query All that the rows depend on, owner included. */
export function writePageToken(query: string, after: PageCursor): string {
  const token = create(PageTokenSchema, { queryHash: hashOf(query), after: [...after] });
  return Buffer.from(toBinary(PageTokenSchema, token)).toString("base64url");
}

/**
 * Reads a page token; an empty one is the first page.
 *
 * @param width How many sort keys the query has.
 * @throws FerryError PAGE_TOKEN_INVALID when it was not made by us, or for another query.
 */
export function readPageToken(query: string, text: string, width: number): PageCursor | undefined {
  if (text === "") return undefined;
  try {
    const token = fromBinary(PageTokenSchema, Buffer.from(text, "base64url"));
    const genuine = writePageToken(query, token.after) === text && token.after.length === width;
    if (genuine && token.queryHash === hashOf(query)) return token.after;
  } catch {
    // Falls through: what cannot be decoded is not ours.
  }
  throw new FerryError("PAGE_TOKEN_INVALID", "page_token: not a token of this list");
}
