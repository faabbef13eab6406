import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { echoClient, reasonOf, serveEcho } from "./testing/harness.ts";

async function* texts(...all: string[]) {
  for (const text of all) yield { text };
}

const implementation = {
  echo: ({ text, number }: { text: string; number: number }) => ({ text, number }),
  async *count({ number }: { number: number }) {
    for (let index = 0; index < number; index++) yield { number: index };
  },
  async collect(requests: AsyncIterable<{ text: string }>) {
    const all: string[] = [];
    for await (const { text } of requests) all.push(text);
    return { text: all.join(" "), number: all.length };
  },
  async *chat(requests: AsyncIterable<{ text: string }>) {
    for await (const { text } of requests) yield { text: `${text}!` };
  },
};

async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

test("all four kinds of call carry messages both ways, with headers and trailers", async (context) => {
  const { port } = await serveEcho(context, {
    ...implementation,
    echo(request, call) {
      call.responseHeader.set("x-header", call.requestHeader.get("x-asked") ?? "");
      call.responseTrailer.set("x-trailer", "end");
      return { text: request.text, number: request.number };
    },
  });
  const client = echoClient(context, port);
  const seen: (string | null)[] = [];
  const answer = await client.echo(
    { text: "hällo", number: 7 },
    {
      headers: { "x-asked": "yes" },
      onHeader: (headers) => seen.push(headers.get("x-header")),
      onTrailer: (trailers) => seen.push(trailers.get("x-trailer")),
    },
  );
  assert.deepEqual([answer.text, answer.number, ...seen], ["hällo", 7, "yes", "end"]);
  assert.deepEqual((await all(client.count({ number: 200 }))).length, 200);
  assert.equal((await client.collect(texts("a", "b", "c"))).text, "a b c");
  assert.deepEqual(
    (await all(client.chat(texts("a", "b")))).map(({ text }) => text),
    ["a!", "b!"],
  );
});

test("interceptors on both sides see every kind of call and may change messages", async (context) => {
  const seen: string[] = [];
  const note =
    (side: string): Interceptor =>
    (next) =>
    async (request) => {
      request.header.set(`x-${side}`, "1");
      const response = await next(request);
      seen.push(`${side} ${request.method.name} ${request.stream} ${request.header.get("x-client")}`);
      return response;
    };
  const { port } = await serveEcho(context, implementation, { interceptors: [note("server")] });
  const client = echoClient(context, port, { interceptors: [note("outer"), note("client")] });
  await client.echo({ text: "a" });
  await all(client.count({ number: 1 }));
  await client.collect(texts("a"));
  await all(client.chat(texts("a")));
  assert.deepEqual(seen.slice(0, 3), ["server Echo false 1", "client Echo false 1", "outer Echo false 1"]);
  assert.deepEqual(
    ["Count", "Collect", "Chat"].map((name) => seen.filter((line) => line.includes(`${name} true 1`)).length),
    [3, 3, 3],
  );
});

test("an error in the middle of a stream comes after the messages before it", async (context) => {
  const { port } = await serveEcho(context, {
    async *count() {
      yield { number: 1 };
      yield { number: 2 };
      throw new FerryError("CURRENCY_UNKNOWN", "no such currency");
    },
    chat() {
      throw new ConnectError("not like this", Code.InvalidArgument);
    },
  });
  const client = echoClient(context, port);
  const numbers: number[] = [];
  const failure = (async () => {
    for await (const { number } of client.count({})) numbers.push(number);
  })();
  assert.equal(await reasonOf(failure), "CURRENCY_UNKNOWN");
  assert.deepEqual(numbers, [1, 2]);
  assert.equal(await reasonOf(client.chat(texts("a"))), "INVALID_REQUEST");
  assert.equal(await reasonOf(client.collect(texts("a"))), "UNIMPLEMENTED");
});

test("an error from an interceptor, or in what a caller streams, reaches the caller as a FerryError", async (context) => {
  const { port } = await serveEcho(context, implementation);
  const broken: Interceptor = () => async () => {
    throw new TypeError("a bug");
  };
  assert.equal(await reasonOf(echoClient(context, port, { interceptors: [broken] }).echo({})), "INTERNAL");
  async function* failing() {
    yield { text: "a" };
    throw new FerryError("NOT_FOUND", "no more");
  }
  assert.equal(await reasonOf(echoClient(context, port).collect(failing())), "NOT_FOUND");
});

test("a slow reader holds the sender back instead of filling memory", async (context) => {
  let sent = 0;
  const { port } = await serveEcho(context, {
    ...implementation,
    async *watch() {
      for (;;) {
        sent++;
        yield { text: "x".repeat(64 * 1024) };
      }
    },
  });
  const aborter = new AbortController();
  const client = echoClient(context, port);
  const messages = client.watch({}, { signal: aborter.signal })[Symbol.asyncIterator]();
  await messages.next();
  // Round trips on the same connection: what would be sent meanwhile has had its time.
  for (let trip = 0; trip < 20; trip++) await client.echo({});
  assert.ok(sent < 100, `${sent} messages were sent to a caller that reads nothing`);
  await messages.next();
  aborter.abort(new FerryError("CANCELED", "enough"));
});
