import assert from "node:assert/strict";
import { test } from "node:test";
import type { FerryError } from "@ferry/platform/errors";
import { checkEndpoint, checkRoom, type EndpointRules, urlProblem, wants } from "./endpoint.ts";
import { eventTypeOf } from "./event-type.ts";

const rules = (targets: "public" | "any"): EndpointRules => ({
  knownTypes: new Set(["transfer.completed", "transfer.failed"]),
  targets,
  isPublicAddress: (host) => (/^[\d.]+$|:/.test(host) ? host === "8.8.8.8" : undefined),
});

test("in production webhooks go to https and hosts that the internet can reach", () => {
  for (const url of ["https://example.com/hooks?a=b", "https://8.8.8.8/", "https://example.com:8443/"])
    assert.equal(urlProblem(url, rules("public")), undefined, url);
  for (const url of [
    ...["http://example.com/", "https://10.0.0.1/", "https://127.1/", "https://0x7f000001/", "https://[::1]/"],
    ...["https://localhost/", "https://db.internal/", "https://printer.local./", "https://intranet/"],
    ...["https://user@example.com/", "https://user:pass@example.com/", "ftp://example.com/", "example.com", ""],
  ])
    assert.notEqual(urlProblem(url, rules("public")), undefined, url);
});

test("in local mode http and loopback are fine, other protocols and credentials are not", () => {
  for (const url of ["http://127.0.0.1:9999/hooks", "http://localhost/", "https://example.com/"])
    assert.equal(urlProblem(url, rules("any")), undefined, url);
  for (const url of ["file:///etc/passwd", "http://a:b@localhost/"]) assert.ok(urlProblem(url, rules("any")), url);
});

test("every field that is wrong is named", () => {
  const request = { url: "x", eventTypes: ["transfer.done", "transfer.failed", "transfer.failed"], description: "" };
  assert.throws(
    () => checkEndpoint(request, rules("any")),
    ({ reason, fields }: FerryError) => {
      assert.equal(reason, "INVALID_REQUEST");
      assert.deepEqual(
        fields.map(({ field }) => field),
        ["url", "event_types", "event_types"],
      );
      assert.match(fields[1]!.description, /transfer\.done: not among transfer\.completed, transfer\.failed/);
      return true;
    },
  );
  checkRoom(2, 3);
  assert.throws(() => checkRoom(3, 3), { reason: "WEBHOOK_ENDPOINT_LIMIT" });
});

test("no types are all types", () => {
  assert.ok(wants([], "transfer.failed") && wants(["transfer.failed"], "transfer.failed"));
  assert.ok(!wants(["transfer.completed"], "transfer.failed"));
});

test("types are named after their messages", () => {
  assert.equal(eventTypeOf("TransferCompleted"), "transfer.completed");
  assert.equal(eventTypeOf("TopUpFailed"), "top_up.failed");
  assert.equal(eventTypeOf("TransferBatchCompleted"), "transfer_batch.completed");
});
