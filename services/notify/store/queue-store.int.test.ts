import assert from "node:assert/strict";
import { test } from "node:test";
import { newUuid, openDatabase } from "@ferry/platform/db";
import { PATIENT } from "../../../test/support/patient.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { deliveryOf } from "../app/record-events.ts";
import { notifyTemplate } from "../notify.fixture.ts";
import { insertDeliveries } from "./delivery-store.ts";
import { insertEndpoint } from "./endpoint-store.ts";
import { takeDue } from "./queue-store.ts";

test("what a sender that is gone had under way to an endpoint that fails is taken one by one, and nobody looks in vain", async (t) => {
  const { url, drop } = await createTestDatabase(notifyTemplate);
  const database = openDatabase({ url, ...PATIENT });
  t.after(async () => {
    await database.close();
    await drop();
  });
  const endpointId = newUuid();
  const request = { url: "http://127.0.0.1/", eventTypes: [], description: "" };
  const event = { type: "ping", memberId: newUuid(), version: 0n, time: new Date(), data: "{}" };
  const deliveries = ["a", "b", "c"].map((id) => deliveryOf({ ...event, id, subject: id }, endpointId));
  await database.transaction(async (tx) => {
    const [memberId, sealedSecret] = [event.memberId, Buffer.alloc(1)];
    await insertEndpoint(tx, { ...request, id: endpointId, memberId, sealedSecret });
    await insertDeliveries(tx, deliveries);
  });
  // All three were under way when the sender was killed, after one had failed: their leases are over.
  await database.query("UPDATE webhook_delivery SET sending = true, due_at = now() - interval '1 second'");
  await database.query("UPDATE webhook_endpoint SET due_at = now(), failing_since = now(), pending_count = 3");

  const take = () =>
    database.transaction((tx) => takeDue(tx, { limit: 8, inFlightEach: 8, withFailing: true, leaseMs: 60_000 }));
  const first = await take();
  assert.deepEqual([first.looked, first.taken.length], [1, 1]);
  const second = await take();
  assert.deepEqual([second.looked, second.taken.length], [0, 0], "the endpoint is looked at again when the lease ends");
  const [row] = await database.query<{ seconds: number }>(
    "SELECT extract(epoch FROM due_at - now())::float8 AS seconds FROM webhook_endpoint",
  );
  assert.ok(row!.seconds > 50, `${row!.seconds} s`);
});
