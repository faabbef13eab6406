import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { isInt64, isMicros, isUuid, isWholeUpTo, type KeyCheck, readPageToken, writePageToken } from "./index.ts";

const QUERY = "transfers of member 1";
const AFTER = ["1767225600000000", "0190b2c4-0000-7000-8000-00000000000a"];
const CHECKS: readonly KeyCheck[] = [isMicros, isUuid];
const token = writePageToken(QUERY, AFTER);

const invalid = (text: string, query = QUERY, checks = CHECKS) =>
  assert.throws(
    () => readPageToken(query, text, checks),
    (error) => error instanceof FerryError && error.reason === "PAGE_TOKEN_INVALID",
    text,
  );

test("a token gives back where its page ended, and an empty one is the first page", () => {
  assert.deepEqual(readPageToken(QUERY, token, CHECKS), AFTER);
  assert.equal(readPageToken(QUERY, "", CHECKS), undefined);
});

test("a token of another list, of another's list or of another width is refused", () => {
  invalid(token, "transfers of member 2");
  invalid(token, "payments of member 1");
  invalid(token, QUERY, [isMicros]);
  invalid(writePageToken(QUERY, [...AFTER, "more"]));
});

test("a token with anything else inside than the query's keys is refused, however well it is formed", () => {
  const [time = "", id = ""] = AFTER;
  for (const forged of [
    ["", id],
    ["2026-01-01 00:00:00+00", id],
    ["-1", id],
    ["17000000000000000", id],
    [time, ""],
    [time, "-".repeat(36)],
    [time, `${id}'`],
    [id, time],
    [time],
  ])
    invalid(writePageToken(QUERY, forged));
});

test("a whole number is one within its bounds, in digits alone", () => {
  const isLine = isWholeUpTo(999_999n);
  for (const good of ["0", "7", "000007", "999999"]) assert.ok(isLine(good), good);
  for (const bad of ["", "1000000", "-1", "+1", "1.0", "1e3", " 1", "1\n", "0x1", "١"]) assert.ok(!isLine(bad), bad);
  assert.ok(isInt64("9223372036854775807") && !isInt64("9223372036854775808") && !isInt64("99999999999999999999"));
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
      const keys = readPageToken(QUERY, changed, [isMicros, isUuid]) ?? assert.fail(changed);
      assert.ok(isMicros(keys[0]) && isUuid(keys[1]), changed);
    } catch (error) {
      assert.ok(error instanceof FerryError && error.reason === "PAGE_TOKEN_INVALID", changed);
    }
    invalid(changed, "transfers of member 2");
  }
});
