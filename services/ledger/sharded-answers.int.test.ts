import assert from "node:assert/strict";
import { test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import fc from "fast-check";
import { createTestDatabase } from "../../test/support/postgres.ts";
import type { Command } from "./domain/commands.ts";
import { createTestLedger, credit, ledgerTemplate } from "./store/test-ledger.ts";
import { assertShardsHold, atRest, idIn, letWait, startSharded } from "./testing/sharded.ts";

const SOURCES = 3;
const transfer = fc.record({ n: fc.nat(9), odd: fc.nat(9), amount: fc.bigInt({ min: 1n, max: 60n }) });
const step = fc.oneof(
  fc.record({ kind: fc.constant("hold" as const), transfer }),
  fc.record({ kind: fc.constant("settle" as const), transfer }),
  fc.record({ kind: fc.constant("release" as const), transfer }),
  fc.record({ kind: fc.constant("credit" as const), transfer }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Each transfer held and settled, whatever else is drawn: some of them are between shards. */
const each = Array.from({ length: 10 }, (_, n) => ({ n, odd: 3, amount: 20n }));
const surely: Step[][] = (["hold", "settle"] as const).map((kind) => each.map((transfer) => ({ kind, transfer })));

/** Commands on accounts of which the first ones only pay and the others only are paid, so that their order between sets is all that counts. */
function toCommand(
  { kind, transfer: { n, odd, amount } }: Step,
  ids: readonly string[],
  owners: readonly string[],
  transfers: readonly string[],
): Command {
  const source = n % SOURCES;
  const sourceAccountId = ids[source]!;
  const payee = n % 4 === 0 ? undefined : ids[SOURCES + (n % (ids.length - SOURCES))]!;
  const transferId = transfers[n]!;
  switch (kind) {
    case "hold": {
      const destinationAccountId = odd === 0 ? newUuid() : payee;
      const payerMemberId = odd === 1 ? newUuid() : owners[source]!;
      const terms = { payerMemberId, amountMinor: odd < 5 ? 20n : amount, currency: "EUR" };
      return { kind: "place-hold", transferId, sourceAccountId, ...terms, destinationAccountId, expired: odd === 2 };
    }
    case "settle": {
      const accountId = odd === 0 ? ids[ids.length - 1]! : payee;
      const destination =
        accountId === undefined
          ? ({ kind: "bank", bankCode: "081" } as const)
          : ({ kind: "account", accountId } as const);
      return { kind: "settle-hold", transferId, sourceAccountId, destination };
    }
    case "release":
      return { kind: "release-hold", transferId, sourceAccountId };
    default:
      return credit(ids[n % ids.length]!, amount);
  }
}

for (const mode of ["two-phase", "clearing"] as const)
  for (const count of [2, 3])
    test(`${mode} over ${count}: whatever is asked gets the answers, and leaves the balances, of one database`, async (t) => {
      const ledger = await startSharded(count, mode);
      t.after(ledger.end);
      letWait(ledger);
      const one = createTestLedger(await createTestDatabase(ledgerTemplate));
      t.after(() => one.close());
      let crossed = 0;
      const drawn = fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { maxLength: 8 }),
        async (sets) => {
          const ids = Array.from({ length: 7 }, (_, index) => idIn(ledger, index % count));
          const [owners, transfers] = [7, 10].map((length) => Array.from({ length }, () => newUuid())) as [
            string[],
            string[],
          ];
          for (const [index, id] of ids.entries()) {
            await ledger.open(id, owners[index]!);
            await one.accounts.insertAccount(one.database, id, owners[index]!, "EUR");
          }
          const opening = ids.slice(0, SOURCES).map((id) => credit(id, 90n));
          for (const set of [
            opening,
            ...sets.map((steps) => steps.map((drawn) => toCommand(drawn, ids, owners, transfers))),
          ]) {
            assert.deepEqual(await ledger.send(...set), await one.send(...set));
            assert.deepEqual(await ledger.send(...set), await one.send(...set), "a repeat gets the same answers");
            await atRest(ledger);
          }
          for (const id of ids) {
            const [here, there] = [await ledger.find(id), await one.find(id)];
            assert.deepEqual([here.balanceMinor, here.heldMinor], [there.balanceMinor, there.heldMinor], id);
          }
          const settled = sets.flat().filter(({ kind }) => kind === "settle");
          crossed += settled.filter(
            ({ transfer: { n } }) =>
              n % 4 !== 0 && ledger.shardOf(ids[n % SOURCES]!) !== ledger.shardOf(ids[SOURCES + (n % 4)]!),
          ).length;
        },
      );
      await fc.assert(drawn, { numRuns: 25, examples: [[surely]] });
      await assertShardsHold(ledger.databases);
      assert.ok(crossed > 3, `${crossed} settles between shards`);
    });
