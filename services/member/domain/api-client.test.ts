import assert from "node:assert/strict";
import { test } from "node:test";
import { findForbiddenScope, scopesForToken } from "./api-client.ts";

test("the first scope that cannot be given is named by its place", () => {
  assert.equal(findForbiddenScope(["a", "b"], ["a", "b", "c"]), undefined);
  assert.equal(findForbiddenScope(["a", "x", "y"], ["a", "b"]), 1);
});

test("a token has the scopes asked for, of those that client and member both have; all when none is asked for", () => {
  assert.deepEqual(scopesForToken("", ["a", "b", "gone"], ["a", "b", "c"]), ["a", "b"]);
  assert.deepEqual(scopesForToken(" b  a b ", ["a", "b"], ["a", "b"]), ["a", "b"]);
  for (const asked of ["c", "a c", "gone", "*", "A"])
    assert.equal(scopesForToken(asked, ["a", "b", "gone"], ["a", "b", "c"]), undefined, asked);
});
