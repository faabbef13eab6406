import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { readPageToken, writePageToken } from "./index.ts";

const QUERY = "transfers of member 1";
const AFTER = ["2026-01-01T00:00:00Z", "0190b2c4-0000-7000-8000-00000000000a"];
const token = writePageToken(QUERY, AFTER);

const invalid = (text: string, query = QUERY, width = AFTER.length) =>
  assert.throws(
    () => readPageToken(query, text, width),
    (error) => error instanceof FerryError && error.reason === "PAGE_TOKEN_INVALID",
    text,
  );

test("a token gives back where its page ended, and an empty one is the first page", () => {
  assert.deepEqual(readPageToken(QUERY, token, AFTER.length), AFTER);
  assert.equal(readPageToken(QUERY, "", AFTER.length), undefined);
});

test("a token of another list, of another's list or of another width is refused", () => {
  invalid(token, "transfers of member 2");
  invalid(token, "payments of member 1");
  invalid(token, QUERY, 1);
  invalid(writePageToken(QUERY, [...AFTER, "more"]));
});

test("no text that was not given out is taken, nor a given one spelt otherwise", () => {
  for (const text of [
    "forged",
    "%",
    "null",
    "\0",
    "a".repeat(1_024),
    `${token}=`,
    `${token} `,
    ` ${token}`,
    `${token}A`,
  ])
    invalid(text);
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === "A" ? "B" : "A";
    const changed = token.slice(0, at) + other + token.slice(at + 1);
    // Some of its letters are of the keys themselves: what can be changed is where the page begins, not whose it is.
    try {
      assert.equal(readPageToken(QUERY, changed, AFTER.length)?.length, AFTER.length);
    } catch (error) {
      assert.ok(error instanceof FerryError && error.reason === "PAGE_TOKEN_INVALID", changed);
    }
    invalid(changed, "transfers of member 2");
  }
});
