import assert from "node:assert/strict";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { requestLineOf } from "./failures.ts";
import { createHarness, type HarnessOptions, TRANSFER } from "./testing/harness.ts";

async function listening(t: TestContext, options: HarnessOptions = {}) {
  const harness = await createHarness(options);
  await harness.components[0]!.start?.();
  t.after(() => harness.components[0]!.stop?.());
  return { ...harness, base: `http://127.0.0.1:${harness.port()}` };
}

/** Sends bytes as they are and gives all that comes back until the connection is closed. */
function talk(port: number, bytes: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("close", () => resolve(text));
  socket.on("error", reject);
  return promise;
}

function opened(text: string) {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), head: head.toLowerCase(), json: JSON.parse(body) };
}

test("what the parser refuses is answered in the envelope and the connection closed", async (t) => {
  const { port } = await listening(t);
  const large = opened(await talk(port(), `GET /livez HTTP/1.1\r\nhost: x\r\nx-big: ${"a".repeat(17_000)}\r\n\r\n`));
  assert.equal(large.status, 431);
  assert.equal(large.json.error.code, "HEADERS_TOO_LARGE");
  assert.ok(large.json.meta.requestId);

  const unknown = opened(await talk(port(), "BREW /v1/transfers HTTP/1.1\r\nhost: x\r\n\r\n"));
  assert.equal(unknown.status, 405);
  assert.match(unknown.head, /allow: get, head, options, post/);

  const broken = opened(await talk(port(), "GET / HTTX\r\n\r\n"));
  assert.equal(broken.status, 400);
  assert.equal(broken.json.error.code, "INVALID_REQUEST");
});

test("an unknown method at a path that is badly encoded is refused, and the edge goes on", async (t) => {
  const { port, base } = await listening(t);
  for (const path of ["/v1/%zz", "/%", "/v1/transfers/x:%ff"]) {
    const refused = opened(await talk(port(), `BREW ${path} HTTP/1.1\r\nhost: x\r\n\r\n`));
    assert.equal(refused.status, 400, path);
    assert.equal(refused.json.error.code, "INVALID_REQUEST", path);
  }
  assert.equal((await fetch(`${base}/livez`)).status, 200);
});

test("a request line is read in a time that grows with its length alone", () => {
  assert.deepEqual(requestLineOf("BREW /a/b?c=/d?e HTTP/1.1\r\n"), { method: "BREW", path: "/a/b" });
  assert.deepEqual(requestLineOf("BREW / HTTP/1.0\n"), { method: "BREW", path: "/" });
  const startedMs = performance.now();
  for (const mark of ["", "?"]) assert.equal(requestLineOf(`BREW /${mark}${"a".repeat(500_000)}\r\n`), undefined);
  assert.ok(performance.now() - startedMs < 5_000, "a squared length would take minutes");
});

test("what comes broken behind a request that is being served is not taken for its answer", async (t) => {
  const { port, bearer } = await listening(t);
  const first = `GET /v1/transfers HTTP/1.1\r\nhost: x\r\nauthorization: ${bearer()}\r\n\r\n`;
  const text = await talk(port(), `${first}GET / HTTX\r\n\r\n`);
  const { status, head, json } = opened(text);
  assert.deepEqual([status, json.data.transfers], [200, []]);
  assert.match(head, /^connection: close$/m);
  assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, "one answer, and the connection is closed");
});

test("a target may name its host, a request must; what it expects beside is ignored", async (t) => {
  const { port, bearer } = await listening(t);
  const say = async (target: string, ...lines: string[]) => {
    const head = [`GET ${target} HTTP/1.1`, "connection: close", `authorization: ${bearer()}`, ...lines];
    return opened(await talk(port(), `${head.join("\r\n")}\r\n\r\n`));
  };
  for (const target of ["http://x/v1/transfers", "https://x:8080/v1/transfers?page_size=5"])
    assert.equal((await say(target, "host: x")).status, 200, target);
  assert.equal((await say("http://x/v1/nothing", "host: x")).json.error.code, "ROUTE_NOT_FOUND");
  const missing = await say("/v1/transfers");
  assert.deepEqual([missing.status, missing.json.error.code], [400, "INVALID_REQUEST"]);
  assert.equal((await say("/v1/transfers", "host: x", "expect: a miracle")).status, 200);
});

test("a slow request is cut, with an answer", async (t) => {
  const { port } = await listening(t, { limits: { requestTimeoutMs: 200 } });
  const slow = opened(await talk(port(), "POST /v1/members HTTP/1.1\r\nhost: x\r\ncontent-le"));
  assert.equal(slow.status, 400);
  assert.match(slow.json.error.message, /in time/);
});

test("a chunked body over the limit is 413", async (t) => {
  const { base, bearer } = await listening(t, { limits: { maxBodyBytes: 1_024 } });
  async function* chunks() {
    for (let part = 0; part < 64; part++) yield new TextEncoder().encode(" ".repeat(1_024));
  }
  const answer = await fetch(`${base}/v1/transfers`, {
    method: "POST",
    headers: { authorization: bearer(), "idempotency-key": "k", "content-type": "application/json" },
    body: ReadableStream.from(chunks()),
    duplex: "half",
  } as RequestInit);
  assert.equal(answer.status, 413);
  assert.equal(((await answer.json()) as { error: { code: string } }).error.code, "BODY_TOO_LARGE");
});

test("when a client goes away its call is canceled", async (t) => {
  const canceled = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const { base, bearer } = await listening(t, {
    answers: {
      CreateTransfer: (_request, { signal }) => {
        signal.addEventListener("abort", () => canceled.resolve());
        entered.resolve();
        return canceled.promise.then(() => ({}));
      },
    },
  });
  const client = new AbortController();
  const call = fetch(`${base}/v1/transfers`, {
    method: "POST",
    headers: { authorization: bearer(), "idempotency-key": "k", "content-type": "application/json" },
    body: JSON.stringify(TRANSFER),
    signal: client.signal,
  });
  await entered.promise;
  client.abort();
  await assert.rejects(call);
  await canceled.promise;
});

test("a stop lets what is in flight end, and takes nothing new", async () => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const harness = await createHarness({
    answers: {
      ListTransfers: async () => {
        entered.resolve();
        await gate.promise;
        return {};
      },
    },
  });
  const edge = harness.components[0]!;
  await edge.start?.();
  const base = `http://127.0.0.1:${harness.port()}`;
  const running = fetch(`${base}/v1/transfers`, { headers: { authorization: harness.bearer() } });
  await entered.promise;
  const stopped = edge.stop?.();
  assert.equal((await harness.app.inject("/readyz")).statusCode, 503);
  gate.resolve();
  const answer = await running;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("connection"), "close");
  await stopped;
  await assert.rejects(fetch(`${base}/livez`));
});
