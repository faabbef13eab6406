import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import { after, before, test } from "node:test";
import { DeliveryState, DisableReason, EndpointState } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { readMetrics } from "@ferry/platform/telemetry";
import { createTestDatabase } from "../../test/support/postgres.ts";
import {
  as,
  notifyTemplate,
  publishCompleted,
  type Received,
  startNotify,
  startReceiver,
  until,
} from "./notify.fixture.ts";

let created: { url: string; drop(): Promise<void> };
let notify: Awaited<ReturnType<typeof startNotify>>;
before(async () => {
  created = await createTestDatabase(notifyTemplate);
  notify = await startNotify({ url: created.url, config: { timeoutMs: 5_000 } });
});
after(async () => {
  await notify.stop();
  await notify.bus.close();
  await created.drop();
});

/** Where nobody listens, nor ever will: the port that a receiver has left may be a neighbor's at once. */
const NOWHERE = "http://127.0.0.1:1/hooks";

/** A member with an endpoint. */
async function withEndpoint(url: string, eventTypes: string[] = []) {
  const memberId = newUuid();
  const { endpoint, secret } = await notify.client.createWebhookEndpoint({ url, eventTypes }, as(memberId));
  return { memberId, endpointId: endpoint!.id, secret };
}

/** A member with an endpoint at a receiver that answers as told, by default 204. */
async function withReceiver(
  t: { after(run: () => Promise<void>): void },
  answer: Parameters<typeof startReceiver>[0] = (_received, response) => void response.writeHead(204).end(),
  eventTypes: string[] = [],
) {
  const receiver = await startReceiver(answer);
  t.after(receiver.stop);
  return { receiver, ...(await withEndpoint(receiver.url, eventTypes)) };
}

/** Checks as the documentation tells receivers to. */
function verifies({ headers, body }: Received, secret: string): boolean {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": given } = headers;
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const expected = `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  return String(given).split(" ").includes(expected);
}

async function deliveriesIn(memberId: string, endpointId: string, state: DeliveryState, count = 1) {
  return until(`${count} deliveries in state ${state}`, async () => {
    const { deliveries } = await notify.client.listWebhookDeliveries({ endpointId, state }, as(memberId));
    return deliveries.length >= count ? deliveries : undefined;
  });
}

test("an event goes to its member's endpoint, signed, as the edge would show it, and once", async (t) => {
  const { receiver, memberId, endpointId, secret } = await withReceiver(t);
  const transferId = await publishCompleted(notify.bus, memberId, { memo: "tea €" });
  await publishCompleted(notify.bus, newUuid());
  await publishCompleted(notify.bus, memberId, { transferId });
  const [delivery] = await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED);
  const [received] = receiver.received;
  assert.ok(verifies(received!, secret));
  assert.equal(received!.headers["webhook-id"], delivery!.eventId);
  const { id, type, timestamp, data } = JSON.parse(received!.body);
  assert.deepEqual(
    { id, type, timestamp },
    { id: delivery!.eventId, type: "transfer.completed", timestamp: "2026-01-02T03:04:05.000Z" },
  );
  assert.deepEqual(Object.keys(data), ["transferId", "transfer", "version"]);
  assert.equal(data.transfer.state, "TRANSFER_STATE_COMPLETED");
  assert.deepEqual(data.transfer.amount, { currency: "EUR", minorUnits: "5" });
  assert.equal(data.transfer.memo, "tea €");
  const { delivery: one, body } = await notify.client.getWebhookDelivery({ deliveryId: delivery!.id }, as(memberId));
  assert.equal(body, received!.body);
  assert.equal(one!.subject, transferId);
  assert.deepEqual(
    one!.attempts.map(({ httpStatus, problem }) => [httpStatus, problem]),
    [[204, ""]],
  );
  assert.equal(receiver.received.length, 1);
});

test("only the types that were asked for are sent, and a ping whatever they are", async (t) => {
  const { receiver, memberId, endpointId } = await withReceiver(t, undefined, ["transfer.failed"]);
  await publishCompleted(notify.bus, memberId);
  const { delivery } = await notify.client.testWebhookEndpoint({ endpointId }, as(memberId));
  assert.equal(delivery!.eventType, "ping");
  await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED);
  assert.deepEqual(
    receiver.received.map(({ body }) => JSON.parse(body).type),
    ["ping"],
  );
});

test("what fails is tried again with the same webhook-id until its schedule is over, then it is dead, and redriven", async (t) => {
  let up = false;
  const { receiver, memberId, endpointId } = await withReceiver(t, (_received, response) => {
    response.writeHead(up ? 200 : 503).end("no");
  });
  await publishCompleted(notify.bus, memberId);
  const [dead] = await deliveriesIn(memberId, endpointId, DeliveryState.DEAD);
  assert.deepEqual(
    dead!.attempts.map(({ httpStatus }) => httpStatus),
    [503, 503, 503],
  );
  assert.ok(dead!.endTime);
  assert.equal(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size, 1);
  const { endpoint } = await notify.client.getWebhookEndpoint({ endpointId }, as(memberId));
  assert.ok(endpoint!.failingSince);

  up = true;
  await notify.client.redriveWebhookDelivery({ deliveryId: dead!.id }, as(memberId));
  const [delivered] = await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED);
  assert.equal(delivered!.attempts.length, 4);
  assert.equal(
    (await notify.client.getWebhookEndpoint({ endpointId }, as(memberId))).endpoint!.failingSince,
    undefined,
  );
  await assert.rejects(notify.client.redriveWebhookDelivery({ deliveryId: dead!.id }, as(memberId)), {
    reason: "WEBHOOK_DELIVERED",
  });
});

test("all that is dead is redriven by one call", async (t) => {
  let up = false;
  const { memberId, endpointId } = await withReceiver(t, (_received, response) => {
    response.writeHead(up ? 200 : 500).end();
  });
  for (let index = 0; index < 3; index++) await publishCompleted(notify.bus, memberId);
  await deliveriesIn(memberId, endpointId, DeliveryState.DEAD, 3);
  up = true;
  const { redrivenCount } = await notify.client.redriveWebhookDeliveries({ endpointId }, as(memberId));
  assert.equal(redrivenCount, 3);
  await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED, 3);
});

test("a later event of a transfer waits for the earlier one, that of another does not", async (t) => {
  const memoOf = ({ body }: Received): string => JSON.parse(body).data.transfer.memo;
  const held: ServerResponse[] = [];
  const { receiver, memberId, endpointId } = await withReceiver(t, (received, response) => {
    if (memoOf(received) === "first" && held.length === 0) held.push(response);
    else response.writeHead(200).end();
  });
  const transferId = await publishCompleted(notify.bus, memberId, { version: 5n, memo: "first" });
  await publishCompleted(notify.bus, memberId, { transferId, version: 6n, memo: "second" });
  await publishCompleted(notify.bus, memberId, { memo: "other" });
  await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED);
  await deliveriesIn(memberId, endpointId, DeliveryState.PENDING, 2);
  const first = await until("the first to be held", () => held[0]);
  assert.deepEqual(receiver.received.map(memoOf).sort(), ["first", "other"]);
  first.writeHead(500).end();
  await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED, 3);
  assert.deepEqual(receiver.received.map(memoOf).slice(2), ["first", "second"]);
});

test("a receiver that hangs, one that redirects and one that is not there are failures; others are not held up", async (t) => {
  const hanging = await withReceiver(t, () => {});
  const elsewhere = await withReceiver(t);
  const redirecting = await withReceiver(t, (_received, response) => {
    response.writeHead(302, { location: elsewhere.receiver.url }).end();
  });
  const gone = await withEndpoint(NOWHERE);
  const fine = await withReceiver(t);
  for (const { memberId } of [hanging, redirecting, gone]) await publishCompleted(notify.bus, memberId);
  await publishCompleted(notify.bus, fine.memberId);
  await deliveriesIn(fine.memberId, fine.endpointId, DeliveryState.DELIVERED);
  const problemOf = ({ memberId, endpointId }: typeof gone, state: DeliveryState = DeliveryState.DEAD) =>
    until("a failed attempt", async () => {
      const { deliveries } = await notify.client.listWebhookDeliveries({ endpointId, state }, as(memberId));
      return deliveries[0]?.attempts[0]?.problem;
    });
  assert.equal(await problemOf(hanging, DeliveryState.PENDING), "no answer within 5000 ms");
  assert.equal(await problemOf(redirecting), "redirects are not followed");
  assert.match(await problemOf(gone), /ECONNREFUSED/);
  assert.equal(elsewhere.receiver.received.length, 0);
});

test("410 disables the endpoint, with the reason; enabled again, it gets what is redriven", async (t) => {
  let status = 410;
  const { memberId, endpointId } = await withReceiver(
    t,
    (_received, response) => void response.writeHead(status).end(),
  );
  await publishCompleted(notify.bus, memberId);
  const [dead] = await deliveriesIn(memberId, endpointId, DeliveryState.DEAD);
  const { endpoint } = await notify.client.getWebhookEndpoint({ endpointId }, as(memberId));
  assert.equal(endpoint!.state, EndpointState.DISABLED);
  assert.equal(endpoint!.disableReason, DisableReason.GONE);
  const disabled = { reason: "WEBHOOK_ENDPOINT_DISABLED" };
  await assert.rejects(notify.client.testWebhookEndpoint({ endpointId }, as(memberId)), disabled);
  await assert.rejects(notify.client.redriveWebhookDelivery({ deliveryId: dead!.id }, as(memberId)), disabled);
  status = 200;
  const enabled = await notify.client.enableWebhookEndpoint({ endpointId }, as(memberId));
  assert.equal(enabled.endpoint!.state, EndpointState.ENABLED);
  await notify.client.redriveWebhookDelivery({ deliveryId: dead!.id }, as(memberId));
  await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED);
});

test("after a rotation both secrets sign, and only the new one when the time is over", async (t) => {
  const { receiver, memberId, endpointId, secret } = await withReceiver(t);
  const rotated = await notify.client.rotateWebhookSecret({ endpointId }, as(memberId));
  assert.notEqual(rotated.secret, secret);
  assert.ok(rotated.endpoint!.previousSecretExpireTime);
  await notify.client.testWebhookEndpoint({ endpointId }, as(memberId));
  const [first] = await until("the first", () => (receiver.received.length === 1 ? receiver.received : undefined));
  assert.ok(verifies(first!, secret) && verifies(first!, rotated.secret));
  await notify.database.query("UPDATE webhook_endpoint SET previous_secret_until = now() WHERE id = $1", [endpointId]);
  await notify.client.testWebhookEndpoint({ endpointId }, as(memberId));
  const [, second] = await until("the second", () => (receiver.received.length === 2 ? receiver.received : undefined));
  assert.ok(!verifies(second!, secret) && verifies(second!, rotated.secret));
});

test("another's endpoints and deliveries are not there; a member has a limited number; what is wrong is named", async (t) => {
  const { receiver, memberId, endpointId } = await withReceiver(t);
  const other = as(newUuid());
  const { delivery } = await notify.client.testWebhookEndpoint({ endpointId }, as(memberId));
  const calls = [
    notify.client.getWebhookEndpoint({ endpointId }, other),
    notify.client.deleteWebhookEndpoint({ endpointId }, other),
    notify.client.rotateWebhookSecret({ endpointId }, other),
    notify.client.enableWebhookEndpoint({ endpointId }, other),
    notify.client.testWebhookEndpoint({ endpointId }, other),
    notify.client.listWebhookDeliveries({ endpointId }, other),
    notify.client.redriveWebhookDeliveries({ endpointId }, other),
    notify.client.getWebhookDelivery({ deliveryId: delivery!.id }, other),
    notify.client.redriveWebhookDelivery({ deliveryId: delivery!.id }, other),
  ];
  for (const result of await Promise.allSettled(calls))
    assert.equal(result.status === "rejected" && result.reason.reason, "NOT_FOUND");
  const url = receiver.url;
  await Promise.all([1, 2].map(() => notify.client.createWebhookEndpoint({ url }, as(memberId))));
  await assert.rejects(notify.client.createWebhookEndpoint({ url }, as(memberId)), {
    reason: "WEBHOOK_ENDPOINT_LIMIT",
  });
  await assert.rejects(
    notify.client.createWebhookEndpoint({ url: "ftp://x.example", eventTypes: ["transfer.done"] }, other),
    (error: { fields: { field: string }[] }) => {
      assert.deepEqual(
        error.fields.map(({ field }) => field),
        ["url", "event_types"],
      );
      return true;
    },
  );
  assert.equal((await notify.client.listWebhookEndpoints({}, as(memberId))).endpoints.length, 3);
  await notify.client.deleteWebhookEndpoint({ endpointId }, as(memberId));
  assert.equal((await notify.client.listWebhookEndpoints({}, as(memberId))).endpoints.length, 2);
  await assert.rejects(notify.client.listWebhookDeliveries({ endpointId }, as(memberId)), { reason: "NOT_FOUND" });
});

test("deliveries come in pages, newest first", async (t) => {
  const { memberId, endpointId } = await withReceiver(t);
  for (let index = 0; index < 3; index++) await publishCompleted(notify.bus, memberId);
  const all = await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED, 3);
  const seen: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await notify.client.listWebhookDeliveries({ endpointId, pageSize: 2, pageToken }, as(memberId));
    seen.push(...page.deliveries.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  assert.deepEqual(
    seen,
    all.map(({ id }) => id),
  );
});

test("the process's metrics tell how deliveries fare", async (t) => {
  const { memberId, endpointId } = await withReceiver(t);
  await notify.client.testWebhookEndpoint({ endpointId }, as(memberId));
  await deliveriesIn(memberId, endpointId, DeliveryState.DELIVERED);
  const text = await until("nothing to be under way", async () => {
    const metrics = await readMetrics();
    return /^ferry_webhooks_in_flight 0$/m.test(metrics) ? metrics : undefined;
  });
  assert.match(text, /^ferry_webhook_attempts_total\{outcome="delivered"\} [1-9]/m);
  assert.match(text, /^ferry_webhook_endpoints\{state="well"\} [1-9]/m);
  assert.match(text, /^ferry_webhooks_pending \d+$/m);
});
