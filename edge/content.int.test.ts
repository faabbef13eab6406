import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Code, ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { file_ferry_options_v1_options } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { transportBackend } from "./backends.ts";
import { createHarness, MEMBER_ID } from "./testing/harness.ts";
import { contractOf, type RpcText } from "./transcoding/testing/contracts.ts";

const POLICY = {
  auth: "AUTH_MEMBER",
  deadlineMs: 5_000,
  idempotencyKey: "IDEMPOTENCY_KEY_NONE",
  retry: "RETRY_NEVER",
  rateClass: "RATE_CLASS_READ",
};
const options = { "[ferry.options.v1.method]": POLICY };
const RPCS: RpcText[] = [
  { name: "Download", output: ".google.api.HttpBody", rule: { get: "/v1/files/{a_string}" } },
  { name: "Field", output: ".test.Download", rule: { get: "/v1/fields/{a_string}", responseBody: "file" } },
  { name: "Upload", input: ".test.Upload", rule: { post: "/v1/files/{id}", body: "file" } },
  { name: "Parts", output: ".google.api.HttpBody", serverStreaming: true, rule: { get: "/v1/parts" } },
  { name: "List", serverStreaming: true, rule: { get: "/v1/list" } },
  { name: "Any", rule: { post: "/v1/any", body: "*" } },
  { name: "Purge", rule: { custom: { kind: "PURGE", path: "/v1/cache/{a_string}" } } },
  { name: "Report", rule: { custom: { kind: "REPORT", path: "/v1/report" }, body: "*" } },
  { name: "Ask", rule: { custom: { kind: "QUERY", path: "/v1/ask" }, body: "*" } },
  { name: "Probe", rule: { custom: { kind: "HEAD", path: "/v1/probe" } } },
];
const { service } = contractOf(
  RPCS.map((rpc) => ({ ...rpc, options })),
  [file_ferry_options_v1_options],
);

type Handle = (request: never, context: HandlerContext) => unknown;

/** An edge that listens, before a service of the contract above. */
async function listening(t: TestContext, handlers: Record<string, Handle>) {
  const seen: unknown[] = [];
  const transport = createRouterTransport((router) => {
    const all = service.methods.map(({ name, localName }) => [
      localName,
      (request: never, context: HandlerContext) => {
        seen.push(request);
        return handlers[name]?.(request, context) ?? {};
      },
    ]);
    router.service(service, Object.fromEntries(all));
  });
  const backend = transportBackend("test", transport);
  const harness = await createHarness({
    backendsOf: async () => [backend],
    services: [{ service, backend: "test" }],
  });
  await harness.components[0]!.start!();
  t.after(async () => harness.components[0]!.stop!());
  const headers = { authorization: harness.bearer() };
  const send = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${harness.port()}${path}`, { ...init, headers: { ...headers, ...init.headers } });
  return { seen, send };
}

const PAGE = { contentType: "text/html; charset=utf-8", data: Buffer.from("<p>\u00e9</p>") };

test("content goes to the client as the service gave it, without the envelope; errors keep theirs", async (t) => {
  const { send } = await listening(t, {
    Download: ({ aString }: { aString: string }) => {
      if (aString === "none") throw new ConnectError("no such file", Code.NotFound);
      return aString === "odd" ? { contentType: "text/html\r\nx: y", data: Buffer.from([0, 255]) } : PAGE;
    },
    Field: ({ aString }: { aString: string }) => (aString === "none" ? {} : { file: PAGE }),
  } as Record<string, Handle>);
  for (const path of ["/v1/files/a", "/v1/fields/a"]) {
    const answer = await send(path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), PAGE.contentType);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.equal(await answer.text(), "<p>\u00e9</p>");
    const etag = answer.headers.get("etag")!;
    assert.equal((await send(path, { headers: { "if-none-match": etag } })).status, 304);
  }
  const odd = await send("/v1/files/odd");
  assert.equal(odd.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual([...new Uint8Array(await odd.arrayBuffer())], [0, 255]);
  const empty = await send("/v1/fields/none");
  assert.deepEqual([empty.status, await empty.text()], [200, ""]);
  const none = await send("/v1/files/none");
  assert.equal(none.status, 404);
  assert.equal(((await none.json()) as { error: { code: string } }).error.code, "NOT_FOUND");
  const head = await send("/v1/files/a", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "9", ""]);
});

test("content of any type comes to the service as it is, with what path and query say", async (t) => {
  const { seen, send } = await listening(t, {});
  const body = Buffer.from([0, 1, 255]);
  for (const type of ["image/png", "application/json", "x/y; a=b"])
    assert.equal(
      (await send("/v1/files/7?note=n", { method: "POST", body, headers: { "content-type": type } })).status,
      200,
    );
  const uploads = seen as { id: string; note: string; file: { contentType: string; data: Uint8Array } }[];
  assert.deepEqual(
    uploads.map(({ id, note, file }) => [id, note, file.contentType, Buffer.from(file.data).equals(body)]),
    [
      ["7", "n", "image/png", true],
      ["7", "n", "application/json", true],
      ["7", "n", "x/y; a=b", true],
    ],
  );
  const large = await send("/v1/files/7", { method: "POST", body: Buffer.alloc(65_537) });
  assert.equal(large.status, 413);
  assert.equal((await send("/v1/any", { method: "POST", body, headers: { "content-type": "image/png" } })).status, 415);
});

test("a stream of content is one body of the type that its first part says, and is cut when it fails", async (t) => {
  let mode = "whole";
  const { send } = await listening(t, {
    async *Parts() {
      if (mode === "refused") throw new ConnectError("no", Code.PermissionDenied);
      if (mode === "empty") return;
      yield { contentType: "text/csv", data: Buffer.from("a,b\n") };
      yield { data: Buffer.from("1,2\n") };
      if (mode === "broken") throw new ConnectError("gone", Code.Internal);
    },
  });
  const whole = await send("/v1/parts", { headers: { accept: "application/x-ndjson" } });
  assert.deepEqual([whole.headers.get("content-type"), await whole.text()], ["text/csv", "a,b\n1,2\n"]);
  mode = "empty";
  const empty = await send("/v1/parts");
  assert.deepEqual([empty.status, await empty.text()], [200, ""]);
  mode = "refused";
  assert.equal((await send("/v1/parts")).status, 403);
  mode = "broken";
  await assert.rejects(async () => (await send("/v1/parts")).text());
});

test("a stream is lines of JSON for who asks for them, and its failure is the last line", async (t) => {
  let mode = "whole";
  const { send } = await listening(t, {
    async *List() {
      if (mode === "empty") return;
      if (mode === "refused") throw new ConnectError("no", Code.NotFound);
      yield { aString: "one\ntwo" };
      yield { aInt64: 2n };
      if (mode === "broken") throw new ConnectError("over", Code.DeadlineExceeded);
    },
  });
  const accept = { accept: "application/x-ndjson" };
  const linesOf = async (answer: Response) => {
    const lines = (await answer.text()).split("\n");
    assert.equal(lines.pop(), "");
    return lines.map((line) => JSON.parse(line));
  };
  const answer = await send("/v1/list", { headers: accept });
  assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "application/x-ndjson"]);
  const [one, two] = await linesOf(answer);
  assert.deepEqual([one.data.aString, two.data.aInt64], ["one\ntwo", "2"]);
  mode = "empty";
  const empty = await send("/v1/list", { headers: accept });
  assert.deepEqual([empty.status, await empty.text()], [200, ""]);
  assert.equal((await send("/v1/list")).status, 204);
  mode = "refused";
  const refused = await send("/v1/list", { headers: accept });
  assert.deepEqual([refused.status, refused.headers.get("content-type")], [404, "application/json; charset=utf-8"]);
  mode = "broken";
  const broken = await linesOf(await send("/v1/list", { headers: accept }));
  assert.equal(broken.length, 3);
  assert.equal(broken[2].error.code, "DEADLINE_EXCEEDED");
  assert.ok(broken[2].meta.requestId);
  mode = "whole";
  for (const [value, type] of [
    ["text/event-stream", "text/event-stream; charset=utf-8"],
    ["*/*", "text/event-stream; charset=utf-8"],
    ["application/x-ndjson;q=0, */*", "text/event-stream; charset=utf-8"],
    ["application/x-ndjson;q=0.5, text/event-stream", "text/event-stream; charset=utf-8"],
    ["application/x-ndjson, */*;q=0.1", "application/x-ndjson"],
    ["Application/X-NDJSON; q=0.9, text/event-stream; q=0.5", "application/x-ndjson"],
  ] as const) {
    const chosen = await send("/v1/list", { headers: { accept: value } });
    assert.equal(chosen.headers.get("content-type"), type, value);
    await chosen.text();
  }
});

test("a quiet stream of lines has its headers soon, and shows that it lives by empty lines", async (t) => {
  const begun = Promise.withResolvers<void>();
  const { send } = await listening(t, {
    async *List() {
      await begun.promise;
      yield { aString: MEMBER_ID };
    },
  });
  const answer = await send("/v1/list", { headers: { accept: "application/x-ndjson" } });
  begun.resolve();
  const [sign, line] = (await answer.text()).split("\n");
  assert.equal(sign, "");
  assert.equal(JSON.parse(line!).data.aString, MEMBER_ID);
});

test("an Any goes through in both directions, and methods of any name are served", async (t) => {
  const { seen, send } = await listening(t, { Any: (request) => request });
  const wAny = { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1.500s" };
  const body = JSON.stringify({ wAny });
  const answer = await send("/v1/any", { method: "POST", body, headers: { "content-type": "application/json" } });
  assert.equal(answer.status, 200);
  assert.deepEqual(((await answer.json()) as { data: { wAny: unknown } }).data.wAny, wAny);
  assert.equal((await send("/v1/cache/a", { method: "PURGE" })).status, 200);
  assert.equal((seen.at(-1) as { aString: string }).aString, "a");
  assert.equal((await send("/v1/cache/a")).headers.get("allow"), "OPTIONS, PURGE");
  assert.equal((await send("/v1/probe", { method: "HEAD" })).status, 200);
  assert.equal((await send("/v1/probe")).status, 405);
});

test("a method of a contract's own takes a body as any other does", async (t) => {
  const { seen, send } = await listening(t, {});
  const json = { "content-type": "application/json" };
  for (const [method, path] of [["REPORT", "/v1/report"] as const, ["QUERY", "/v1/ask"] as const]) {
    const answer = await send(path, { method, headers: json, body: '{"aString":"x"}' });
    assert.equal(answer.status, 200, method);
    assert.equal((seen.pop() as { aString: string }).aString, "x", method);
    const wrong = await send(path, { method, headers: json, body: '{"nothing":1}' });
    assert.equal(wrong.status, 400, method);
  }
  assert.equal((await send("/v1/report", { method: "REPORT" })).status, 200);
  assert.equal((await send("/v1/ask", { method: "QUERY" })).status, 415, "its type must be said");
});
