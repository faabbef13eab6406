import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { DeliveryState, DisableReason, EndpointState } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { createTestDatabase } from "../../test/support/postgres.ts";
import {
  as,
  type NotifyOptions,
  notifyTemplate,
  publishCompleted,
  startNotify,
  startReceiver,
  until,
} from "./notify.fixture.ts";

/** Starts replicas on a database of the test's own; all of them go with it. */
async function withDatabase(t: TestContext) {
  const created = await createTestDatabase(notifyTemplate);
  const stops: (() => Promise<void>)[] = [];
  t.after(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await created.drop();
  });
  return async (options: Omit<NotifyOptions, "url">) => {
    const notify = await startNotify({ ...options, url: created.url });
    let stopped: Promise<void> | undefined;
    const stop = () => {
      stopped ??= notify.stop();
      return stopped;
    };
    stops.push(stop);
    return { ...notify, stop };
  };
}

test("two replicas deliver everything once, with few under way to one endpoint", async (t) => {
  const start = await withDatabase(t);
  const bus = createMemoryBus();
  const config = { keySecret: Buffer.from("0123456789abcdef0123456789abcdef"), maxInFlightEach: 2 };
  const replicas = [await start({ bus, config }), await start({ bus, config })];
  let underWay = 0;
  let most = 0;
  const receiver = await startReceiver((_received, response) => {
    most = Math.max(most, ++underWay);
    setImmediate(() => {
      underWay--;
      response.end();
    });
  });
  t.after(async () => {
    await bus.close();
    await receiver.stop();
  });
  const memberId = newUuid();
  const { client } = replicas[0]!;
  const { endpoint } = await client.createWebhookEndpoint({ url: receiver.url }, as(memberId));
  const ids = await Promise.all(Array.from({ length: 40 }, () => publishCompleted(bus, memberId)));
  await until("all to be delivered", async () => {
    const request = { endpointId: endpoint!.id, state: DeliveryState.DELIVERED, pageSize: 200 };
    const { deliveries } = await client.listWebhookDeliveries(request, as(memberId));
    return deliveries.length === ids.length || undefined;
  });
  assert.equal(receiver.received.length, ids.length);
  assert.ok(most <= 2, `${most} at once`);
  const [row] = await replicas[0]!.database.query<{ pending_count: number; due_at: Date | null }>(
    "SELECT pending_count, due_at FROM webhook_endpoint",
  );
  assert.deepEqual(row, { pending_count: 0, due_at: null });
});

test("what an instance had taken when it vanished is sent by another when the lease is over; a stopped one gives it back", async (t) => {
  const start = await withDatabase(t);
  const config = { keySecret: Buffer.from("0123456789abcdef0123456789abcdef"), timeoutMs: 60_000 };
  const first = await start({ config });
  const receiver = await startReceiver((_received, response) => {
    if (receiver.received.length > 2) response.end();
  });
  t.after(receiver.stop);
  const memberId = newUuid();
  const { endpoint } = await first.client.createWebhookEndpoint({ url: receiver.url }, as(memberId));
  await publishCompleted(first.bus, memberId);
  await until("the first", () => receiver.received.length === 1 || undefined);
  await first.stop(); // While it is sent: given back after a time.
  const second = await start({ config });
  await until("the second", () => receiver.received.length === 2 || undefined);
  // As after kill -9: nobody gives it back, only the lease ends.
  await second.database.query("UPDATE webhook_delivery SET due_at = now()");
  await second.database.query("UPDATE webhook_endpoint SET due_at = now()");
  const third = await start({ config });
  await until("the third", () => receiver.received.length === 3 || undefined);
  const { deliveries } = await until("its end", async () => {
    const page = await third.client.listWebhookDeliveries({ endpointId: endpoint!.id }, as(memberId));
    return page.deliveries[0]!.state === DeliveryState.DELIVERED ? page : undefined;
  });
  assert.equal(deliveries[0]!.attemptCount, 2, "what was given back does not count");
  assert.equal(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size, 1);
  receiver.received.length = 3;
  await Promise.all([third.stop(), receiver.stop(), second.stop()]);
});

test("an endpoint that fails for too long, or for which too many wait, is disabled with the reason", async (t) => {
  const start = await withDatabase(t);
  const notify = await start({ config: { disableAfterMs: 1, maxPending: 10, retryDelaysMs: [5, 60_000] } });
  const receiver = await startReceiver((_received, response) => void response.writeHead(500).end());
  t.after(receiver.stop);
  const disabledFor = async (events: number) => {
    const memberId = newUuid();
    const { endpoint } = await notify.client.createWebhookEndpoint({ url: receiver.url }, as(memberId));
    await Promise.all(Array.from({ length: events }, () => publishCompleted(notify.bus, memberId)));
    return until("it to be disabled", async () => {
      const found = await notify.client.getWebhookEndpoint({ endpointId: endpoint!.id }, as(memberId));
      return found.endpoint!.state === EndpointState.DISABLED ? found.endpoint!.disableReason : undefined;
    });
  };
  assert.equal(await disabledFor(1), DisableReason.FAILING);
  assert.equal(await disabledFor(30), DisableReason.BACKLOG);
  const [row] = await notify.database.query<{ open: bigint }>(
    "SELECT count(*) AS open FROM webhook_delivery WHERE state = 'PENDING' AND NOT sending",
  );
  assert.equal(row!.open, 0n);
});

test("no more are redriven than may wait; with no room a redrive and a ping are refused, and nothing changes", async (t) => {
  const start = await withDatabase(t);
  const { client } = await start({ config: { maxPending: 2, retryDelaysMs: [] } });
  const gate = Promise.withResolvers<void>();
  let up = false;
  const receiver = await startReceiver((_received, response) => {
    if (up) void gate.promise.then(() => response.end());
    else response.writeHead(500).end();
  });
  t.after(receiver.stop);
  const memberId = newUuid();
  const { endpoint } = await client.createWebhookEndpoint({ url: receiver.url }, as(memberId));
  const endpointId = endpoint!.id;
  const inState = (state: DeliveryState, count: number) =>
    until(`${count} in state ${state}`, async () => {
      const { deliveries } = await client.listWebhookDeliveries({ endpointId, state }, as(memberId));
      return deliveries.length === count ? deliveries : undefined;
    });
  for (const count of [1, 2, 3]) {
    await client.testWebhookEndpoint({ endpointId }, as(memberId));
    await inState(DeliveryState.DEAD, count);
  }
  up = true;
  assert.equal((await client.redriveWebhookDeliveries({ endpointId }, as(memberId))).redrivenCount, 2);
  const [left] = await inState(DeliveryState.DEAD, 1);
  for (const ask of [
    () => client.redriveWebhookDeliveries({ endpointId }, as(memberId)),
    () => client.redriveWebhookDelivery({ deliveryId: left!.id }, as(memberId)),
    () => client.testWebhookEndpoint({ endpointId }, as(memberId)),
  ])
    await assert.rejects(ask, { reason: "WEBHOOK_BACKLOG" });
  assert.equal((await client.listWebhookDeliveries({ endpointId }, as(memberId))).deliveries.length, 3);
  gate.resolve();
  await inState(DeliveryState.DELIVERED, 2);
  await client.redriveWebhookDelivery({ deliveryId: left!.id }, as(memberId));
  await inState(DeliveryState.DELIVERED, 3);
});
