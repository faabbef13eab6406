import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, migrate, openDatabase } from "@ferry/platform/db";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { createInbox, inboxMigrations, purgeInbox } from "./index.ts";

let created: { url: string; drop(): Promise<void> };
let database: Database;

before(async () => {
  created = await createTestDatabase({ name: "inbox", run: (url) => migrate(url, [inboxMigrations]) });
  database = openDatabase({ url: created.url, ...PATIENT });
});
after(async () => {
  await database.close();
  await created.drop();
});

const received = (...ids: string[]) => ids.map((id, index) => ({ id, index }));

test("a message is admitted once, in the order of the set, within a set and across sets", async () => {
  const inbox = createInbox({ consumer: "once" });
  const admit = (...ids: string[]) => database.transaction((tx) => inbox.admit(tx, received(...ids)));
  assert.deepEqual(await admit("b", "a", "b", "c"), [
    { id: "b", index: 0 },
    { id: "a", index: 1 },
    { id: "c", index: 3 },
  ]);
  assert.deepEqual(await admit("d", "a", "b"), [{ id: "d", index: 0 }]);
  assert.deepEqual(await admit(), []);
});

test("two consumers of one database each see a message once", async () => {
  for (const consumer of ["first", "second"]) {
    const inbox = createInbox({ consumer });
    assert.equal((await database.transaction((tx) => inbox.admit(tx, received("shared")))).length, 1);
  }
});

test("what is rolled back is admitted again", async () => {
  const inbox = createInbox({ consumer: "rollback" });
  const failing = database.transaction(async (tx) => {
    await inbox.admit(tx, received("x"));
    throw new Error("no");
  });
  await assert.rejects(failing, /no/);
  assert.equal((await database.transaction((tx) => inbox.admit(tx, received("x")))).length, 1);
});

test("of two transactions at once one admits, whatever the order in which they name the messages", async () => {
  const inbox = createInbox({ consumer: "race" });
  const ids = Array.from({ length: 200 }, (_, index) => `m-${index}`);
  const counts = await Promise.all(
    [ids, ids.toReversed(), ids].map(async (set) => {
      const admitted = await database.transaction((tx) => inbox.admit(tx, received(...set)));
      return admitted.length;
    }),
  );
  assert.deepEqual(
    counts.toSorted((one, other) => one - other),
    [0, 0, 200],
  );
});

test("purging deletes what is older than eight days and nothing younger", async () => {
  const inbox = createInbox({ consumer: "old" });
  await database.transaction((tx) => inbox.admit(tx, received("younger", "older")));
  const age = (id: string, days: number) =>
    database.query("UPDATE inbox SET received_at = now() - make_interval(hours => $2) WHERE message_id = $1", [
      id,
      Math.round(days * 24),
    ]);
  await age("younger", 7.9);
  await age("older", 8.1);
  assert.equal(await purgeInbox(database), 1);
  const admitted = await database.transaction((tx) => inbox.admit(tx, received("younger", "older")));
  assert.deepEqual(admitted, [{ id: "older", index: 1 }]);
});
