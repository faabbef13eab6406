import { test } from "node:test";
import { DeliveryState } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { as, notifyTemplate, publishCompleted, startNotify, startReceiver, until } from "../notify.fixture.ts";

test("whatever a route or the queue asks goes by an index, once there are many deliveries", async (t) => {
  const { url, drop } = await createTestDatabase(notifyTemplate);
  const notify = await startNotify({ url });
  let status = 500;
  const receiver = await startReceiver((_received, response) => void response.writeHead(status).end());
  t.after(async () => {
    await notify.stop();
    await receiver.stop();
    await drop();
  });
  const { client, bus, database } = notify;
  const memberId = newUuid();
  const member = as(memberId);

  const asked = await statementsOf(database, async () => {
    const endpointId = (await client.createWebhookEndpoint({ url: receiver.url }, member)).endpoint!.id;
    const inState = (state: DeliveryState) =>
      until(`a delivery in state ${state}`, async () => {
        return (await client.listWebhookDeliveries({ endpointId, state }, member)).deliveries[0];
      });
    await publishCompleted(bus, memberId);
    const dead = await inState(DeliveryState.DEAD);
    status = 200;
    await client.redriveWebhookDelivery({ deliveryId: dead.id }, member);
    await inState(DeliveryState.DELIVERED);
    const { delivery: ping } = await client.testWebhookEndpoint({ endpointId }, member);
    await until("the ping to be delivered", async () => {
      return (await client.getWebhookDelivery({ deliveryId: ping!.id }, member)).delivery!.endTime;
    });
    await client.redriveWebhookDeliveries({ endpointId }, member);
    await client.listWebhookDeliveries({ endpointId }, member);
    await client.listWebhookEndpoints({}, member);
    await client.rotateWebhookSecret({ endpointId }, member);
    await client.enableWebhookEndpoint({ endpointId }, member);
    status = 410;
    await client.testWebhookEndpoint({ endpointId }, member);
    await until("the endpoint to be disabled", async () => {
      return (await client.getWebhookEndpoint({ endpointId }, member)).endpoint!.disableTime;
    });
    await client.enableWebhookEndpoint({ endpointId }, member);
    await client.deleteWebhookEndpoint({ endpointId }, member);
  });
  await assertIndexed(database, asked);
});
