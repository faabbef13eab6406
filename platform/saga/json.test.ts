import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { reviveJson, writeJson } from "./json.ts";

test("what a saga knows comes back as it was, bigints included", () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.bigInt(),
      fc.constant(null),
      fc.array(tie("value")),
      fc.dictionary(
        fc.string().filter((key) => key !== "__proto__" && key !== "$bigint"),
        tie("value"),
        { noNullPrototype: true },
      ),
    ),
  })).value;
  fc.assert(fc.property(value, (each) => assert.deepEqual(reviveJson(JSON.parse(writeJson(each))), each)));
});
