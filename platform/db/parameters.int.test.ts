import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { type Database, openDatabase } from "./index.ts";
import { textArray, toArrayLiteral } from "./parameters.ts";

let made: Awaited<ReturnType<typeof createTestDatabase>>;
let database: Database;

before(async () => {
  made = await createTestDatabase();
  database = openDatabase({ url: made.url, ...PATIENT });
});
after(async () => {
  await database.close();
  await made.drop();
});

/** What PostgreSQL's text can hold: anything but NUL, and no half of a surrogate pair. */
const text = fc.string({ unit: "binary", maxLength: 20 }).map((value) => value.replaceAll("\0", " "));
const odd = fc.constantFrom("", "NULL", "null", "{}", '"', "\\", ",", " a ", "a b", 'a"b\\c', "ü", "😀", "\n", "{a,b}");
const texts = fc.array(fc.oneof(text, odd, fc.constant(null)), { maxLength: 12 });

test("an array of texts arrives as it was given, as a literal and in binary form", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (values) => {
      const [row] = await database.query<{ literal: string[]; binary: string[] }>(
        "SELECT $1::text[] AS literal, $2::text[] AS binary",
        [values, textArray(values)],
      );
      assert.deepEqual(row, { literal: values, binary: values });
    }),
    { numRuns: 300 },
  );
});

test("numbers, bigints, booleans, bytes and missing values arrive as they were given", async () => {
  const [row] = await database.query(
    "SELECT $1::integer[] AS ints, $2::bigint[]::text AS bigints, $3::boolean[] AS flags, $4::bytea[] AS bytes, $5::uuid[] AS ids",
    [
      [1, -2, null],
      [9223372036854775807n, undefined, -1n],
      [true, false, null],
      [new Uint8Array([0, 255]), new Uint8Array(0), null],
      ["6F9619FF-8B86-D011-B42D-00CF4FC964FF"],
    ],
  );
  assert.deepEqual(row, {
    ints: [1, -2, null],
    bigints: "{9223372036854775807,NULL,-1}",
    flags: [true, false, null],
    bytes: [Buffer.from([0, 255]), Buffer.alloc(0), null],
    ids: ["6f9619ff-8b86-d011-b42d-00cf4fc964ff"],
  });
});

test("what no element can be is refused", () => {
  assert.throws(() => toArrayLiteral([{ a: 1 }]), /cannot hold object/);
});
