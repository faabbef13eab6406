import assert from "node:assert/strict";
import { test } from "node:test";
import { invalidRequest } from "@ferry/platform/errors";
import { failureText } from "./envelope.ts";

const META = { requestId: "r", traceId: "t" };

test("an error names its fields, and of very many the first hundred, and says how many more there are", () => {
  const fields = Array.from({ length: 5_000 }, (_, index) => ({ field: `scopes[${index}]`, description: "is empty" }));
  const few = JSON.parse(failureText(invalidRequest(fields.slice(0, 3)), META));
  assert.deepEqual(few.error.details, fields.slice(0, 3));
  const { error } = JSON.parse(failureText(invalidRequest(fields), META));
  assert.deepEqual(error.details, fields.slice(0, 100));
  assert.match(error.message, /and 4999 more/);
});
