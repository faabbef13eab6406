import assert from "node:assert/strict";
import { test } from "node:test";
import { DeliveryState } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { as, notifyTemplate, startNotify, startReceiver, until } from "../notify.fixture.ts";
import { purgeDeliveries } from "./delivery-store.ts";

test("what ended long ago goes, what ended lately or still waits stays; a deleted endpoint goes with all of its own", async (t) => {
  const { url, drop } = await createTestDatabase(notifyTemplate);
  const notify = await startNotify({ url, config: { retryDelaysMs: [600_000] } });
  let status = 200;
  const receiver = await startReceiver((_received, response) => void response.writeHead(status).end());
  t.after(async () => {
    await notify.stop();
    await receiver.stop();
    await drop();
  });
  const { client, database } = notify;
  const member = as(newUuid());
  const endpointOf = async () => (await client.createWebhookEndpoint({ url: receiver.url }, member)).endpoint!.id;
  const [kept, deleted] = [await endpointOf(), await endpointOf()];
  const ping = async (endpointId: string) => (await client.testWebhookEndpoint({ endpointId }, member)).delivery!.id;
  const [old, late] = [await ping(kept), await ping(kept)];
  await ping(deleted);
  const inState = async (endpointId: string, state: DeliveryState) =>
    (await client.listWebhookDeliveries({ endpointId, state }, member)).deliveries.map(({ id }) => id);
  await until("all to be delivered", async () => {
    const delivered = await Promise.all([kept, deleted].map((id) => inState(id, DeliveryState.DELIVERED)));
    return delivered.flat().length === 3 || undefined;
  });
  status = 500;
  const waiting = await ping(kept);
  await until("a failed attempt", async () => {
    return (await client.getWebhookDelivery({ deliveryId: waiting }, member)).delivery!.attempts[0];
  });
  await database.query("UPDATE webhook_delivery SET ended_at = now() - interval '31 days' WHERE id = $1", [old]);
  await client.deleteWebhookEndpoint({ endpointId: deleted }, member);

  assert.equal(await purgeDeliveries(database, 30, 1), 2);
  assert.deepEqual(await inState(kept, DeliveryState.DELIVERED), [late]);
  assert.deepEqual(await inState(kept, DeliveryState.PENDING), [waiting]);
  assert.equal((await database.query("SELECT 1 FROM webhook_endpoint")).length, 1);
});
