import { randomUUID } from "node:crypto";
import { type EdgeCaller, type TestMember, toAccount } from "../../support/client.ts";

const AMOUNT = { currency: "EUR", minorUnits: "100" };

/** Ids of what a member has, by the names of the fields that requests give them in. */
export type Belongings = Readonly<Record<string, string>>;

/** Makes one of everything that a member can have, and waits until it rests. @param shop Another member's, who is paid. */
export async function makeBelongings(
  edge: EdgeCaller,
  { token, id }: TestMember,
  shop: { owner: TestMember; accountId: string },
): Promise<Belongings> {
  const [from, to] = [await edge.openAccount(token), await edge.openAccount(token)];
  const topUp = await edge.topUp(token, from, "10000");
  const command = async (path: string, body: object, as = token) => {
    const headers = { "idempotency-key": randomUUID(), prefer: "wait=30" };
    return edge.expect(201, "POST", path, { token: as, headers, body });
  };
  const { transfer } = await command("/v1/transfers", toAccount(from, to, "100"));
  const { batch } = await command("/v1/transfer-batches", {
    ...{ sourceAccountId: from, lines: [{ reference: "1", destination: { accountId: to }, amount: AMOUNT }] },
  });
  const paid = { sourceAccountId: from, merchantAccountId: shop.accountId, amount: AMOUNT };
  const { payment } = await command("/v1/payments", paid);
  const { refund } = await command(`/v1/payments/${payment.id}/refunds`, { amount: AMOUNT }, shop.owner.token);
  const make = (path: string, body: object) => edge.expect(201, "POST", path, { token, body });
  const { apiClient } = await make("/v1/api-clients", { displayName: "Till", scopes: ["accounts:read"] });
  const { endpoint } = await make("/v1/webhook-endpoints", { url: "http://127.0.0.1:9/hooks", eventTypes: [] });
  const tested = await edge.call("POST", `/v1/webhook-endpoints/${endpoint.id}:test`, { token, body: {} });
  const { sessions } = await edge.expect(200, "GET", "/v1/sessions", { token });
  return {
    ...{ account_id: from, source_account_id: from, transfer_id: transfer.id, batch_id: batch.id },
    ...{ top_up_id: topUp.id, payment_id: payment.id, refund_id: refund.id, api_client_id: apiClient.id },
    ...{ endpoint_id: endpoint.id, delivery_id: tested.body.data.delivery.id, session_id: sessions[0].id },
    // Those that only operators name.
    ...{ member_id: id, saga_id: transfer.id, transaction_id: transfer.id, breach_id: transfer.id },
  };
}
