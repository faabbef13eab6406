import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { TransferState, type WatchTransferRequest } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { until } from "../test/support/until.ts";
import { createHarness, type HarnessOptions, MEMBER_ID } from "./testing/harness.ts";

const PATH = `/v1/transfers/${MEMBER_ID}:watch`;

type Watch = (request: WatchTransferRequest, context: HandlerContext) => AsyncIterable<unknown>;

/** An edge that listens, before a service that watches as told. */
async function listening(t: TestContext, watch: Watch, options: HarnessOptions = {}) {
  const harness = await createHarness({ ...options, answers: { WatchTransfer: watch as never } });
  await harness.components[0]!.start!();
  t.after(async () => harness.components[0]!.stop!());
  const get = (headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${harness.port()}${PATH}`, {
      headers: { authorization: harness.bearer(), ...headers },
      signal: signal ?? null,
    });
  return { ...harness, get };
}

const states = [TransferState.ACCEPTED, TransferState.HELD, TransferState.COMPLETED];
const message = (version: number) => ({
  transfer: { id: MEMBER_ID, state: states[version - 1] },
  version: BigInt(version),
});

/** The events of a text, as a browser would read them. */
function eventsOf(text: string) {
  return text
    .split("\n\n")
    .map((block) => block.split("\n").filter((line) => line !== "" && !line.startsWith(":")))
    .filter((lines) => lines.length > 0)
    .map((lines) => Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2))));
}

test("a stream of messages comes as events, each with its id, and ends when the service ends it", async (t) => {
  const { get, seen } = await listening(t, async function* () {
    for (const version of [1, 2, 3]) yield message(version);
  });
  const response = await get();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-store");
  const events = eventsOf(await response.text());
  assert.deepEqual(
    events.map(({ id }) => id),
    ["1", "2", "3"],
  );
  assert.equal(JSON.parse(events[2]!.data!).transfer.state, "TRANSFER_STATE_COMPLETED");
  assert.ok(seen[0]!.timeoutMs! > 200_000);
});

test("Last-Event-ID is handed on, and who has seen everything is told to stop", async (t) => {
  const { get } = await listening(t, async function* ({ afterVersion }) {
    for (const version of [1, 2, 3]) if (version > afterVersion) yield message(version);
  });
  assert.deepEqual(
    eventsOf(await (await get({ "last-event-id": "2" })).text()).map(({ id }) => id),
    ["3"],
  );
  assert.equal((await get({ "last-event-id": "3" })).status, 204);
  assert.equal(eventsOf(await (await get({ "last-event-id": "nonsense" })).text()).length, 3);
});

test("what goes wrong before the first message has its own status, later an event", async (t) => {
  let begun = false;
  const { get } = await listening(t, async function* () {
    if (begun) yield message(1);
    begun = true;
    throw new ConnectError("no such transfer", Code.NotFound);
  });
  const refused = await get();
  assert.equal(refused.status, 404);
  assert.equal(((await refused.json()) as { error: { code: string } }).error.code, "NOT_FOUND");
  const [first, last] = eventsOf(await (await get()).text());
  assert.equal(first!.id, "1");
  assert.equal(last!.event, "error");
  assert.equal(JSON.parse(last!.data!).error.code, "NOT_FOUND");
});

test("a client that goes away ends the call behind, and makes room for another stream", async (t) => {
  const canceled = Promise.withResolvers<void>();
  const { get } = await listening(
    t,
    async function* (_request, { signal }) {
      signal.addEventListener("abort", () => canceled.resolve());
      yield message(1);
      await canceled.promise;
    },
    { limits: { maxStreamsEach: 1 } },
  );
  const client = new AbortController();
  const open = await get({}, client.signal);
  assert.equal(open.status, 200);
  const refused = await get();
  assert.equal(refused.status, 429);
  assert.ok(refused.headers.get("retry-after"));
  client.abort();
  await canceled.promise;
  await until("room for another stream", async () => (await get()).status === 200 || undefined);
});

test("a quiet stream has its headers soon, and a stop of the edge ends it at once", async (t) => {
  const harness = await listening(t, async function* (_request, { signal }) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const response = await harness.get();
  assert.equal(response.status, 200);
  const stopped = harness.components[0]!.stop!();
  assert.deepEqual(eventsOf(await response.text()), []);
  await stopped;
});

test("HEAD has the headers, and begins no call", async (t) => {
  const { app, bearer, seen } = await listening(t, async function* () {});
  const answer = await app.inject({ method: "HEAD", url: PATH, headers: { authorization: bearer() } });
  assert.deepEqual([answer.statusCode, answer.headers["content-type"]], [200, "text/event-stream; charset=utf-8"]);
  assert.deepEqual(seen, []);
});

test("a token is needed as anywhere", async (t) => {
  const { app } = await listening(t, async function* () {});
  assert.equal((await app.inject(PATH)).statusCode, 401);
});

test("a stream tells nothing more once its session has ended", async (t) => {
  const ended = Promise.withResolvers<void>();
  const { get, authority } = await listening(t, async function* () {
    yield message(1);
    await ended.promise;
    yield message(2);
  });
  const response = await get();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("id: 1")) text += (await reader.read()).value;
  const nothing = { keys: [], suspendedMemberIds: [], reinstatedMemberIds: [] };
  authority.apply({ ...nothing, snapshot: false, revokedSessionIds: ["0190b2c4-0000-7000-8000-0000000000ff"] });
  ended.resolve();
  for (let next = await reader.read(); next.done !== true; next = await reader.read()) text += next.value;
  const events = eventsOf(text);
  assert.deepEqual([events.length, events[1]!.event], [2, "error"]);
  assert.equal(JSON.parse(events[1]!.data!).error.code, "SESSION_REVOKED");
});
