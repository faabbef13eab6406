import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid, writePageToken } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { createCloseAccount } from "../app/close-account.ts";
import { createFreezeAccounts } from "../app/freeze-accounts.ts";
import { createGetAccounts } from "../app/get-accounts.ts";
import { createListAccounts } from "../app/list-accounts.ts";
import { createListEntries } from "../app/list-entries.ts";
import { createOpenAccount } from "../app/open-account.ts";
import { createTestLedger, credit, hold, ledgerTemplate, settle } from "./test-ledger.ts";

let ledger: ReturnType<typeof createTestLedger>;
before(async () => {
  ledger = createTestLedger(await createTestDatabase(ledgerTemplate));
});
after(() => ledger.close());

const because = (reason: string) => (error: FerryError) => error.reason === reason;

test("entries come newest first in pages that later postings do not shift", async () => {
  const { database: db, accounts: store } = ledger;
  const account = await ledger.open(100n);
  const ownerId = account.ownerId!;
  const { getAccount } = createGetAccounts({ db, store });
  const listEntries = createListEntries({ db, store, getAccount });
  const payments = [1n, 2n, 3n, 4n, 5n, 6n].map((amount) => hold(account, amount));
  for (const payment of payments) await ledger.send(payment, settle(payment));

  const first = await listEntries(account.id, ownerId, 3, "");
  await ledger.send(credit(account.id, 50n));
  const second = await listEntries(account.id, ownerId, 3, first.nextPageToken);
  const third = await listEntries(account.id, ownerId, 3, second.nextPageToken);
  const amounts = [first, second, third].map((page) => page.items.map((entry) => entry.amountMinor));
  assert.deepEqual(amounts, [[-6n, -5n, -4n], [-3n, -2n, -1n], [100n]]);
  assert.equal(third.nextPageToken, "");
  assert.deepEqual([first.items[0]?.balanceAfterMinor, third.items[0]?.balanceAfterMinor], [79n, 100n]);
  assert.equal(first.items[0]?.reference, payments[5]?.transferId);
  const times = [...first.items, ...second.items].map((entry) => entry.createdAt.getTime());
  assert.deepEqual(
    times,
    times.toSorted((one, other) => other - one),
  );

  const all = await listEntries(account.id, ownerId, 0, "");
  assert.deepEqual([all.items.length, all.items[0]?.amountMinor, all.nextPageToken], [8, 50n, ""]);
  const exact = await listEntries(account.id, ownerId, 8, "");
  assert.equal(exact.nextPageToken, "", "a page that holds all that is left is the last");

  await assert.rejects(listEntries(account.id, newUuid(), 3, ""), because("NOT_FOUND"));
  await assert.rejects(listEntries(newUuid(), ownerId, 3, ""), because("NOT_FOUND"));
  for (const forged of ["nonsense", "99999999999999999999", ""])
    await assert.rejects(
      listEntries(account.id, ownerId, 3, writePageToken(`entries:${account.id}`, [forged])),
      because("PAGE_TOKEN_INVALID"),
    );
  const other = await ledger.open(1n, ownerId);
  await assert.rejects(listEntries(other.id, ownerId, 3, first.nextPageToken), because("PAGE_TOKEN_INVALID"));
});

test("accounts are opened in a known currency, and listed oldest first for their owner alone", async () => {
  const { database: db, accounts: store } = ledger;
  const ownerId = newUuid();
  const openAccount = createOpenAccount({ db, store });
  const listAccounts = createListAccounts({ db, store });
  const opened: string[] = [];
  for (const currency of ["EUR", "USD", "JPY"]) {
    const account = await openAccount(ownerId, currency);
    assert.deepEqual([account.balanceMinor, account.state, account.currency], [0n, "open", currency]);
    opened.push(account.id);
  }
  await assert.rejects(openAccount(ownerId, "DEM"), because("CURRENCY_UNKNOWN"));
  await openAccount(newUuid(), "EUR");

  const first = await listAccounts(ownerId, 2, "");
  const second = await listAccounts(ownerId, 2, first.nextPageToken);
  const listed = [...first.items, ...second.items].map(({ id }) => id);
  assert.deepEqual(listed.toSorted(), opened.toSorted());
  assert.deepEqual([first.items.length, second.nextPageToken], [2, ""]);
  assert.deepEqual(
    listed.map((id) => id.slice(0, 13)),
    opened.map((id) => id.slice(0, 13)).toSorted(),
  );
  await assert.rejects(listAccounts(newUuid(), 2, first.nextPageToken), because("PAGE_TOKEN_INVALID"));
  const forged = writePageToken(`accounts:${ownerId}`, ["nonsense"]);
  await assert.rejects(listAccounts(ownerId, 2, forged), because("PAGE_TOKEN_INVALID"));
});

test("callers at once share a query, and each gets its own account only", async () => {
  const { database, accounts: store } = ledger;
  let queries = 0;
  const counted = {
    findAccounts: (...args: Parameters<typeof store.findAccounts>) => {
      queries++;
      return store.findAccounts(...args);
    },
  };
  const { getAccount, findAccounts } = createGetAccounts({ db: database, store: counted });
  const [mine, theirs] = [await ledger.open(5n), await ledger.open(6n)];
  const internal = await database.query<{ id: string }>("SELECT id FROM account WHERE kind = 'clearing' LIMIT 1");
  const [own, others, facts] = await Promise.allSettled([
    getAccount(mine.id, mine.ownerId!),
    getAccount(theirs.id, mine.ownerId!),
    findAccounts([mine.id, theirs.id, newUuid(), internal[0]!.id]),
  ]);
  assert.equal(queries, 1);
  assert.ok(own.status === "fulfilled" && own.value.balanceMinor === 5n);
  assert.ok(others.status === "rejected" && others.reason.reason === "NOT_FOUND");
  assert.ok(facts.status === "fulfilled");
  assert.deepEqual([...facts.value.keys()], [mine.id, theirs.id]);
});

test("freezing is written down once, with who, why and what was; it races with holds and leaves none after it", async () => {
  const { database, accounts: store } = ledger;
  const { freezeAccount, freezeAccounts, unfreezeAccounts } = createFreezeAccounts({ database, store });
  const closeAccount = createCloseAccount({ database, store });
  const [one, other, closed] = [await ledger.open(10n), await ledger.open(10n), await ledger.open(0n)];
  await closeAccount(closed.id, closed.ownerId!);
  const ids = [one.id, other.id, closed.id, newUuid()];
  const order = { actor: "transfer", reason: "the books do not hold" };
  const [placed] = await Promise.all([ledger.send(hold(one, 1n)), freezeAccounts(ids, order)]);
  assert.ok(placed[0] === undefined || placed[0] === "ACCOUNT_FROZEN");
  assert.deepEqual(await ledger.send(hold(one, 1n), credit(one.id, 5n)), ["ACCOUNT_FROZEN", undefined]);
  assert.equal((await ledger.find(one.id)).state, "frozen");

  assert.deepEqual((await freezeAccounts(ids, order)).toSorted(), [one.id, other.id].toSorted());
  assert.deepEqual(await unfreezeAccounts([other.id], { actor: "operator:7", reason: "looked into" }), [other.id]);
  const audit = await database.query(
    "SELECT account_id, actor, action, reason, before, after FROM account_audit ORDER BY at, account_id",
  );
  const frozen = { ...order, action: "freeze", before: "open", after: "frozen" };
  assert.deepEqual(audit, [
    ...[one.id, other.id].toSorted().map((id) => ({ account_id: id, ...frozen })),
    {
      ...{ account_id: other.id, actor: "operator:7", action: "unfreeze", reason: "looked into" },
      ...{ before: "frozen", after: "open" },
    },
  ]);
  await assert.rejects(closeAccount(one.id, one.ownerId!), because("ACCOUNT_FROZEN"));
  await assert.rejects(freezeAccount(closed.id, order), because("ACCOUNT_CLOSED"));
  await assert.rejects(freezeAccount(newUuid(), order), because("NOT_FOUND"));
});
