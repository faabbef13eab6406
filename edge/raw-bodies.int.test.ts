import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { CreateTransferBatchRequest } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { TransferBatchMode } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { ACCOUNT_ID, createHarness, TRANSFER } from "./testing/harness.ts";

const CSV = "reference,currency,minorUnits\r\na,EUR,1\r\n";
const MAX_BYTES = 4_000_000;

async function listening(t: TestContext) {
  const harness = await createHarness();
  for (const component of harness.components) await component.start?.();
  t.after(async () => {
    for (const component of harness.components.toReversed()) await component.stop?.();
  });
  const headers = { authorization: harness.bearer(), "idempotency-key": "k" };
  const send = async (path: string, contentType: string, body: string | Buffer | ReadableStream) => {
    const init = { method: "POST", headers: { ...headers, "content-type": contentType }, body, duplex: "half" };
    const answer = await fetch(`http://127.0.0.1:${harness.port()}${path}`, init as RequestInit);
    return { status: answer.status, error: ((await answer.json()) as { error?: { code: string } }).error?.code };
  };
  return { ...harness, send };
}

/** A body that does not say its length. */
function chunked(bytes: number): ReadableStream {
  const part = new Uint8Array(64_000).fill(0x20);
  async function* parts() {
    for (let sent = 0; sent < bytes; sent += part.length) yield part.subarray(0, Math.min(part.length, bytes - sent));
  }
  return ReadableStream.from(parts());
}

test("a body of a type that the contract names comes to the service as it is, with the query's fields", async (t) => {
  const { seen, send } = await listening(t);
  const query = `mode=TRANSFER_BATCH_MODE_ALL_OR_NOTHING&sourceAccountId=${ACCOUNT_ID}&executeTime=2030-01-01T00:00:00Z`;
  const sent = await send(`/v1/transfer-batches?${query}`, 'Text/CSV; charset="UTF-8"', CSV);
  assert.equal(sent.error, undefined);
  const request = seen[0]?.request as CreateTransferBatchRequest;
  assert.equal(Buffer.from(request.csv).toString(), CSV);
  assert.equal(request.mode, TransferBatchMode.ALL_OR_NOTHING);
  assert.equal(request.sourceAccountId, ACCOUNT_ID);
  assert.equal(request.executeTime?.seconds, 1_893_456_000n);
});

test("JSON still does, but not with a query; other types, and CSV elsewhere, are 415", async (t) => {
  const { seen, send } = await listening(t);
  const lines = JSON.stringify({ lines: [{ amount: TRANSFER.amount, destination: TRANSFER.destination }] });
  assert.equal((await send("/v1/transfer-batches", "application/json", lines)).error, undefined);
  assert.equal((seen[0]!.request as CreateTransferBatchRequest).lines.length, 1);
  for (const [path, type, status] of [
    ["/v1/transfer-batches?mode=TRANSFER_BATCH_MODE_BEST_EFFORT", "application/json", 400],
    ["/v1/transfer-batches?csv=AA==", "text/csv", 400],
    ["/v1/transfer-batches?lines=a", "text/csv", 400],
    ["/v1/transfer-batches", "text/csv; charset=latin1", 415],
    ["/v1/transfer-batches", "text/plain", 415],
    ["/v1/transfers", "text/csv", 415],
  ] as const)
    assert.equal((await send(path, type, type === "application/json" ? lines : CSV)).status, status, `${path} ${type}`);
  assert.equal(seen.length, 1);
});

test("a route's own limit of a body holds, whether it says its length or not, and the others' is as before", async (t) => {
  const { seen, send } = await listening(t);
  const full = Buffer.alloc(MAX_BYTES, " ");
  for (const body of [full, chunked(MAX_BYTES)])
    assert.equal((await send("/v1/transfer-batches", "text/csv", body)).error, undefined);
  assert.deepEqual(
    seen.map(({ request }) => (request as CreateTransferBatchRequest).csv.length),
    [MAX_BYTES, MAX_BYTES],
  );
  const over = Buffer.alloc(MAX_BYTES + 1, " ");
  for (const [path, type, body] of [
    ["/v1/transfer-batches", "text/csv", over],
    ["/v1/transfer-batches", "text/csv", chunked(MAX_BYTES + 1)],
    ["/v1/transfers", "application/json", Buffer.alloc(65_537, " ")],
    ["/v1/transfers", "application/json", chunked(65_537)],
  ] as const)
    assert.deepEqual(await send(path, type, body), { status: 413, error: "BODY_TOO_LARGE" });
});
