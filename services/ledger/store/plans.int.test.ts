import assert from "node:assert/strict";
import { test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { createCloseAccount } from "../app/close-account.ts";
import { createFreezeAccounts } from "../app/freeze-accounts.ts";
import { createGetAccounts } from "../app/get-accounts.ts";
import { createListAccounts } from "../app/list-accounts.ts";
import { createListEntries } from "../app/list-entries.ts";
import { createOpenAccount } from "../app/open-account.ts";
import * as statements from "./statements.ts";
import { createTestLedger, credit, hold, ledgerTemplate, settle } from "./test-ledger.ts";

test("whatever is asked of the books goes by an index, once they are full", async (t) => {
  const ledger = createTestLedger(await createTestDatabase(ledgerTemplate));
  t.after(() => ledger.close());
  const { database, accounts: store } = ledger;
  const parts = { db: database, database, store };
  const { getAccount } = createGetAccounts(parts);
  const ownerId = newUuid();

  const asked = await statementsOf(database, async () => {
    const { id } = await createOpenAccount(parts)(ownerId, "EUR");
    const [paid, refused] = [hold({ id, ownerId }, 60n), hold({ id, ownerId }, 9_999n)];
    await ledger.send(credit(id, 100n));
    await ledger.send(paid, refused);
    await ledger.send(settle(paid), credit(id, 1n));
    const arrival = { reference: newUuid(), accountId: id, amountMinor: 5n, currency: "EUR", fromShard: 1 };
    await ledger.send({ kind: "receive-transfer", ...arrival });
    await getAccount(id, ownerId);
    await store.findFree(database, [id]);
    await createFreezeAccounts(parts).freezeAccount(id, { actor: "transfer", reason: "a test" });
    await createListAccounts(parts)(ownerId, 10, "");
    await createListEntries({ ...parts, getAccount })(id, ownerId, 10, "");
    const empty = await createOpenAccount(parts)(ownerId, "EUR");
    await createCloseAccount(parts)(empty.id, ownerId);
  });
  for (const [name, text] of Object.entries(statements)) assert.ok(asked.has(text), `${name} was asked`);
  await assertIndexed(database, asked);
});
