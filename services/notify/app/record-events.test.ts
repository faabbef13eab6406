import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveryOf } from "./record-events.ts";

const event = {
  id: "t:5",
  type: "transfer.completed",
  memberId: "m",
  subject: "t",
  version: 5n,
  time: new Date(0),
  data: '{"a":"é"}',
};

test("a delivery's id is its event's and its endpoint's, the event's id the same for all endpoints", () => {
  const [one, again, other] = [deliveryOf(event, "e1"), deliveryOf({ ...event }, "e1"), deliveryOf(event, "e2")];
  assert.deepEqual(one, again);
  assert.notEqual(one.id, other.id);
  assert.equal(one.eventId, other.eventId);
  assert.notEqual(deliveryOf({ ...event, id: "t:6" }, "e1").eventId, one.eventId);
});

test("the body is JSON with the data as it is, unless that is too large to be sent", () => {
  const { body, eventId } = deliveryOf(event, "e1");
  assert.equal(
    body,
    `{"id":"${eventId}","type":"transfer.completed","timestamp":"1970-01-01T00:00:00.000Z","data":{"a":"é"}}`,
  );
  const large = JSON.parse(deliveryOf({ ...event, data: `"${"x".repeat(300_000)}"` }, "e1").body);
  assert.deepEqual(large.data, { subject: "t", omitted: true });
});
