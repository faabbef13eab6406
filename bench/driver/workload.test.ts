import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mix, Payer } from "./protocol.ts";
import { createWorkload, type Order } from "./workload.ts";

const COUNT = 2_000;
const payers: Payer[] = Array.from({ length: 64 }, (_, index) => ({
  accountId: `account-${index}`,
  member: index % 16,
}));

function ordersOf(mix: Mix): Order[] {
  const workload = createWorkload(mix, payers, (member) => `Bearer ${member}`);
  return Array.from({ length: COUNT }, (_, index) => {
    const order = workload.next();
    if (order.kind === "transfer") workload.ended(`transfer-${index}`, order.member);
    return order;
  });
}

const bodyOf = ({ request }: Order) =>
  JSON.parse(request.body ?? "") as {
    sourceAccountId: string;
    destination: { accountId?: string; bankAccount?: { accountNumber: string } };
    amount: { minorUnits: string };
  };

test("every transfer has a key of its own, an amount, and the token of the member who pays", () => {
  const orders = ordersOf("bank");
  assert.equal(new Set(orders.map(({ request }) => request.headers["idempotency-key"])).size, COUNT);
  for (const order of orders) {
    const { sourceAccountId, amount } = bodyOf(order);
    const payer = payers.find(({ accountId }) => accountId === sourceAccountId);
    assert.equal(order.request.headers.authorization, `Bearer ${payer?.member}`);
    assert.ok(BigInt(amount.minorUnits) > 0n);
  }
});

test("mixed accounts all pay, to accounts that do as they are told", () => {
  const bodies = ordersOf("bank").map(bodyOf);
  assert.equal(new Set(bodies.map(({ sourceAccountId }) => sourceAccountId)).size, payers.length);
  for (const { destination } of bodies)
    assert.match(destination.bankAccount?.accountNumber ?? "", /^22\d{4}[0-8]\d{3}$/);
});

test("half of the transfers of the hot mix are paid from 8 accounts, beside their part of the other half", () => {
  const hot = new Set(payers.slice(0, 8).map(({ accountId }) => accountId));
  const share = ordersOf("hot").filter((order) => hot.has(bodyOf(order).sourceAccountId)).length / COUNT;
  assert.ok(Math.abs(share - (0.5 + 0.5 / 8)) < 0.05, String(share));
});

test("within the platform nobody pays themselves", () => {
  for (const { sourceAccountId, destination } of ordersOf("internal").map(bodyOf)) {
    assert.match(destination.accountId ?? "", /^account-/);
    assert.notEqual(destination.accountId, sourceAccountId);
  }
});

test("the read mix has nine reads for a transfer, of all kinds", () => {
  const orders = ordersOf("reads");
  assert.equal(orders.filter(({ kind }) => kind === "transfer").length, COUNT / 10);
  const routes = new Set(
    orders
      .filter(({ kind }) => kind === "read")
      .map(({ request }) => request.path.replace(/(transfer|account)-\d+/, "{id}")),
  );
  assert.deepEqual([...routes].sort(), [
    "/v1/accounts/{id}",
    "/v1/accounts/{id}/entries?page_size=20",
    "/v1/transfers/{id}",
    "/v1/transfers?page_size=20",
  ]);
});
