import assert from "node:assert/strict";
import { test } from "node:test";
import { literalOf, pgbenchScript } from "./trace.ts";

test("a value becomes a literal that PostgreSQL reads as the driver's parameter", () => {
  assert.equal(literalOf(null), "NULL");
  assert.equal(literalOf('it\'s {a,"b"}'), "'it''s {a,\"b\"}'");
  assert.equal(literalOf(12n), "'12'");
  assert.equal(literalOf(true), "'true'");
  assert.equal(literalOf(Buffer.from([0, 255])), "'\\x00ff'");
  assert.equal(literalOf(new Date(0)), "'1970-01-01T00:00:00.000Z'");
  assert.throws(() => literalOf([1]), /array/);
});

test("a script prepares each named statement once, on one line, and executes it with each set of values", () => {
  const select = { name: "s1", text: "\n  SELECT $1::uuid[]\n  FROM account" };
  const script = pgbenchScript([
    { name: undefined, text: "BEGIN", values: [] },
    { ...select, values: ["{a}"] },
    { ...select, values: ["{b}"] },
    { name: undefined, text: "COMMIT", values: [] },
  ]);
  assert.equal(
    script,
    "BEGIN;\nPREPARE p0 AS SELECT $1::uuid[] FROM account;\nEXECUTE p0('{a}');\nEXECUTE p0('{b}');\nCOMMIT;\n",
  );
  assert.throws(() => pgbenchScript([{ name: "x", text: "SELECT 1; SELECT 2", values: [] }]), /semicolon/);
});
