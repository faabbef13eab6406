import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { createCloseAccount } from "../app/close-account.ts";
import type { Command } from "../domain/commands.ts";
import { assertBooksHold, createTestLedger, credit, hold, ledgerTemplate, settle } from "./test-ledger.ts";

let ledger: ReturnType<typeof createTestLedger>;
before(async () => {
  ledger = createTestLedger(await createTestDatabase(ledgerTemplate));
});
after(() => ledger.close());

test("sets side by side in opposite directions neither deadlock nor lose money", async () => {
  const pairs = await Promise.all([ledger.open(1_000n), ledger.open(1_000n)]);
  const sets = Array.from({ length: 24 }, (_, index): Command[] => {
    const [from, to] = index % 2 === 0 ? pairs : [pairs[1], pairs[0]];
    const holds = [1n, 2n, 3n].map((amount) => hold(from, amount, to.id));
    const out = hold(from, 4n);
    return [...holds, out, ...holds.map(settle), settle(out), credit(to.id, 4n)];
  });
  const answers = await Promise.all(sets.map((set) => ledger.send(...set)));
  assert.deepEqual(new Set(answers.flat()), new Set([undefined]));
  assert.equal(ledger.repeated(), 0, "no deadlock that a second attempt hides");
  for (const { id } of pairs) {
    const { balanceMinor, heldMinor } = await ledger.find(id);
    assert.deepEqual([balanceMinor, heldMinor], [1_000n, 0n]);
  }
  await assertBooksHold(ledger.database);
});

test("64 holds at once on one account: as many as fit are placed, the others refused", async () => {
  const payer = await ledger.open(1_000n);
  const holds = Array.from({ length: 64 }, () => hold(payer, 100n));
  const answers = (await Promise.all(holds.map((one) => ledger.send(one)))).flat();
  assert.equal(answers.filter((answer) => answer === undefined).length, 10);
  assert.equal(answers.filter((answer) => answer === "INSUFFICIENT_BALANCE").length, 54);
  const { balanceMinor, heldMinor } = await ledger.find(payer.id);
  assert.deepEqual([balanceMinor, heldMinor], [1_000n, 1_000n]);
  assert.deepEqual((await Promise.all(holds.map((one) => ledger.send(one)))).flat(), answers);
  await assertBooksHold(ledger.database);
});

test("what was read back decides as what was in memory: the same answers to a sequence that comes again", async () => {
  const [payer, payee] = [await ledger.open(500n), await ledger.open(0n)];
  const [paid, released, refused] = [hold(payer, 100n, payee.id), hold(payer, 50n), hold(payer, 9_999n)];
  const release: Command = {
    kind: "release-hold",
    transferId: released.transferId,
    sourceAccountId: payer.id,
  };
  const early: Command = { ...release, transferId: newUuid() };
  const late = { ...hold(payer, 1n), transferId: early.transferId };
  const topUp = credit(payee.id, 5n);
  const wrong: Command = { ...credit(payee.id, 5n), currency: "USD" };
  const sequence: Command[] = [paid, refused, early, late, settle(paid), topUp, wrong];
  const answers = await ledger.send(...sequence);
  assert.deepEqual(answers, [
    undefined,
    "INSUFFICIENT_BALANCE",
    undefined,
    "HOLD_RELEASED",
    undefined,
    undefined,
    "CURRENCY_MISMATCH",
  ]);
  assert.deepEqual(await ledger.send(released), [undefined]);
  assert.deepEqual(await ledger.send(release, settle(released)), [undefined, "HOLD_RELEASED"]);

  const count = "SELECT count(*) FROM entry";
  const before = [await ledger.find(payer.id), await ledger.find(payee.id), await ledger.database.query(count)];
  assert.deepEqual(await ledger.send(...sequence), answers);
  for (const [index, command] of sequence.entries()) assert.deepEqual(await ledger.send(command), [answers[index]]);
  assert.deepEqual(await ledger.send({ ...paid, amountMinor: 99n }), ["REFERENCE_REUSED"]);
  assert.deepEqual(await ledger.send({ ...topUp, amountMinor: 6n }), ["REFERENCE_REUSED"]);
  const now = [await ledger.find(payer.id), await ledger.find(payee.id), await ledger.database.query(count)];
  assert.deepEqual(now, before);
  await assertBooksHold(ledger.database);
});

test("sets that no common lock keeps apart give one answer to one reference", async () => {
  const nobody = { id: newUuid(), ownerId: newUuid() };
  const [unknown, lost] = [hold(nobody, 1n), credit(newUuid(), 1n)];
  const answers = await Promise.all(Array.from({ length: 12 }, () => ledger.send(unknown, lost)));
  for (const answer of answers) assert.deepEqual(answer, ["ACCOUNT_UNKNOWN", "ACCOUNT_UNKNOWN"]);

  const [one, other] = [await ledger.open(10n), await ledger.open(10n)];
  const first = hold(one, 10n);
  const second = { ...hold(other, 10n), transferId: first.transferId };
  const both = (await Promise.all([ledger.send(first), ledger.send(second)])).flat();
  assert.deepEqual(both.filter((answer) => answer === undefined).length, 1);
  assert.ok(both.includes("REFERENCE_REUSED"));
  await assertBooksHold(ledger.database);
});

test("internal accounts are made by many sets at once, one row for each stripe", async () => {
  const account = await ledger.open(0n);
  const credits = Array.from({ length: 40 }, () => ({ ...credit(account.id, 1n), bankCode: "777" }));
  await Promise.all(credits.map((one) => ledger.send(one)));
  const rows = await ledger.database.query<{ stripe: number; balance: bigint }>(
    "SELECT stripe, balance FROM account WHERE kind = 'clearing' AND bank_code = '777'",
  );
  assert.equal(new Set(rows.map(({ stripe }) => stripe)).size, rows.length);
  assert.ok(rows.length > 1 && rows.length <= 8, `${rows.length} stripes`);
  assert.equal(
    rows.reduce((sum, { balance }) => sum + balance, 0n),
    -40n,
  );
});

test("an account that closes while a hold is on its way has either the hold or its end, never both", async () => {
  const closeAccount = createCloseAccount({ database: ledger.database, store: ledger.accounts });
  const payer = await ledger.open(100n);
  const seen = new Set<unknown>();
  for (let round = 0; round < 12; round++) {
    const payee = await ledger.open(0n);
    const transfer = hold(payer, 1n, payee.id);
    const close = () => closeAccount(payee.id, payee.ownerId!);
    // In every second round the close is surely first; in the others they race.
    const [refusal] =
      round % 2 === 0
        ? (await Promise.all([ledger.send(transfer), close()]))[0]
        : await close().then(() => ledger.send(transfer));
    assert.ok(refusal === undefined || refusal === "ACCOUNT_CLOSED", String(refusal));
    assert.deepEqual(await ledger.send(settle(transfer)), [refusal === undefined ? undefined : "HOLD_UNKNOWN"]);
    assert.equal((await ledger.find(payee.id)).balanceMinor, 0n);
    seen.add(refusal);
  }
  assert.ok(seen.has("ACCOUNT_CLOSED"));

  const emptied = await ledger.open(1n);
  const outcome = await Promise.allSettled([
    ledger.send(hold(emptied, 1n)),
    closeAccount(emptied.id, emptied.ownerId!),
  ]);
  assert.equal((outcome[1] as PromiseRejectedResult).reason.reason, "ACCOUNT_NOT_EMPTY");
  await assert.rejects(closeAccount(emptied.id, newUuid()), (error: FerryError) => error.reason === "NOT_FOUND");
  await assertBooksHold(ledger.database);
});

test("money for an account that closed meanwhile is kept in suspense", async () => {
  const closeAccount = createCloseAccount({ database: ledger.database, store: ledger.accounts });
  const [payer, payee] = [await ledger.open(10n), await ledger.open(0n)];
  const transfer = hold(payer, 10n, payee.id);
  const suspense = "SELECT coalesce(sum(balance), 0)::int8 AS balance FROM account WHERE kind = 'suspense'";
  const [before] = await ledger.database.query<{ balance: bigint }>(suspense);
  await ledger.send(transfer);
  await closeAccount(payee.id, payee.ownerId!);
  assert.deepEqual(await ledger.send(settle(transfer), credit(payee.id, 7n)), [undefined, undefined]);
  const [after] = await ledger.database.query<{ balance: bigint }>(suspense);
  assert.equal(after!.balance - before!.balance, 17n);
  await assertBooksHold(ledger.database);
});

test("the database itself refuses what the rules forbid", async () => {
  const { id } = await ledger.open(10n);
  const refused = (sql: string) =>
    assert.rejects(ledger.database.query(sql, [id]), (error: Error & { code?: string }) => error.code === "23514");
  await refused("UPDATE account SET balance = -1 WHERE id = $1");
  await refused("UPDATE account SET held = 11 WHERE id = $1");
  await refused("UPDATE account SET held = -1 WHERE id = $1");
  await refused("UPDATE account SET state = 'closed' WHERE id = $1");
});
