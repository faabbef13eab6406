import assert from "node:assert/strict";
import { test } from "node:test";
import { compareWithClients } from "./books.ts";

const books = (completed: number) => ({ findings: [], figures: { completed } });

test("the books have what clients were told, no less", () => {
  assert.deepEqual(compareWithClients(books(10), { completed: 10, uncertain: 0 }), []);
  assert.match(compareWithClients(books(9), { completed: 10, uncertain: 5 })[0] ?? "", /10 completed.*have 9/);
});

test("and no more, but for requests whose end the client does not know", () => {
  assert.match(compareWithClients(books(11), { completed: 10, uncertain: 0 })[0] ?? "", /have 11/);
  assert.deepEqual(compareWithClients(books(11), { completed: 10, uncertain: 1 }), []);
});
