import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createBankClient } from "./bank-client.ts";

const inquire = { kind: "inquire" } as const;

/** A bank that does as the test says, and a client of it with one connection. */
async function open(t: TestContext, bank: RequestListener, timeoutMs = 5_000) {
  const server = createServer(bank);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = createBankClient({ url: `http://127.0.0.1:${port}`, timeoutMs, connections: 1 });
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return client;
}

test("an answer in pieces is read whole, and what comes before it does not count", async (t) => {
  const client = await open(t, (_request, response) => {
    response.writeProcessing();
    response.writeHead(404, { "content-type": "application/json" });
    response.write('{"status":"d');
    setImmediate(() => response.end('one é"}'));
  });
  assert.deepEqual(await client.call("r", inquire), { kind: "answered", status: 404, body: { status: "done é" } });
});

test("an answer without a body, or with broken JSON, is an answer", async (t) => {
  const client = await open(t, ({ url }, response) => void response.end(url?.endsWith("empty") ? "" : "{"));
  assert.deepEqual(await client.call("empty", inquire), { kind: "answered", status: 200, body: undefined });
  assert.deepEqual(await client.call("broken", inquire), { kind: "answered", status: 200, body: undefined });
});

test("an answer that drips is none, one that never ends is cut, and the next call goes on", async (t) => {
  const client = await open(
    t,
    ({ url }, response) => {
      if (url?.endsWith("drip")) {
        const drip = setInterval(() => response.write(" "), 10);
        response.on("close", () => clearInterval(drip));
      } else if (url?.endsWith("flood")) response.end(Buffer.alloc(100_000, " "));
      else response.end('{"status":"done"}');
    },
    3_000,
  );
  assert.deepEqual(await client.call("drip", inquire), { kind: "lost", detail: "no answer within 3000 ms" });
  assert.deepEqual(await client.call("flood", inquire), { kind: "lost", detail: "an answer of over 65536 bytes" });
  assert.equal((await client.call("fine", inquire)).kind, "answered");
});

test("a call whose time is over before a connection is free is not sent any more", async (t) => {
  const asked: string[] = [];
  const client = await open(
    t,
    ({ url = "" }, response) => {
      asked.push(url.slice(url.lastIndexOf("/") + 1));
      if (!url.endsWith("silent")) response.end("{}");
    },
    3_000,
  );
  const calls = await Promise.all(["silent", "late"].map((reference) => client.call(reference, inquire)));
  assert.deepEqual(calls, Array(2).fill({ kind: "lost", detail: "no answer within 3000 ms" }));
  assert.equal((await client.call("next", inquire)).kind, "answered");
  assert.deepEqual(asked, ["silent", "next"]);
});

test("a connection that is cut may have been an order; one that was never made was none", async (t) => {
  const client = await open(t, (request) => void request.socket.destroy());
  assert.equal((await client.call("r", inquire)).kind, "lost");
  const gone = createBankClient({ url: "http://127.0.0.1:1", timeoutMs: 5_000, connections: 1 });
  t.after(() => gone.close());
  assert.deepEqual(await gone.call("r", inquire), { kind: "unreachable", detail: "ECONNREFUSED" });
});
