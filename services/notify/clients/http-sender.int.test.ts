import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { startReceiver } from "../notify.fixture.ts";
import { createHttpSender, lookupPublic } from "./http-sender.ts";

async function sendTo(
  t: TestContext,
  answer: (response: ServerResponse) => void,
  { targets = "any" as "public" | "any", timeoutMs = 5_000 } = {},
) {
  const receiver = await startReceiver((_received, response) => answer(response));
  const sender = createHttpSender({ timeoutMs, targets, connections: 2 });
  t.after(async () => {
    await sender.close();
    await receiver.stop();
  });
  const call = { url: receiver.url, headers: { "webhook-id": "x" }, body: "{}", signal: new AbortController().signal };
  return { receiver, outcome: await sender.send(call) };
}

test("the status is what counts, also when the rest of the answer never ends or is huge", async (t) => {
  const drip = await sendTo(t, (response) => void response.writeHead(200).write("x"));
  assert.equal(drip.outcome.status, 200);
  const flood = await sendTo(t, (response) => {
    response.writeHead(201).end(Buffer.alloc(5_000_000, "x"));
  });
  assert.equal(flood.outcome.status, 201);
});

test("a redirect is not followed, and Retry-After is read", async (t) => {
  const redirect = await sendTo(t, (response) => void response.writeHead(307, { location: "/other" }).end());
  assert.equal(redirect.outcome.status, 307);
  assert.equal(redirect.receiver.received.length, 1);
  const busy = await sendTo(t, (response) => void response.writeHead(503, { "retry-after": "7" }).end());
  assert.equal(busy.outcome.retryAfterMs, 7_000);
});

test("a receiver that says nothing, or breaks off, is a failure within the time", async (t) => {
  // Twice: the second meets the HTTP client's own timers, which look every half second, in the middle of their turn.
  for (let call = 0; call < 2; call++) {
    const { outcome } = await sendTo(t, () => {}, { timeoutMs: 900 });
    assert.deepEqual([outcome.status, outcome.problem], [0, "no answer within 900 ms"]);
    assert.ok(outcome.durationMs >= 890 && outcome.durationMs < 15_000);
  }
  const broken = await sendTo(t, (response) => void response.socket?.destroy());
  assert.equal(broken.outcome.status, 0);
  assert.notEqual(broken.outcome.problem, "");
});

test("where only public addresses may be called, nothing goes out to others", async (t) => {
  const { receiver, outcome } = await sendTo(t, (response) => void response.end(), { targets: "public" });
  assert.match(outcome.problem, /FORBIDDEN_ADDRESS/);
  assert.equal(receiver.received.length, 0);
});

test("a name that leads to a private address is refused when it is looked up", async () => {
  const looked = new Promise<string>((resolve) =>
    lookupPublic("localhost", { all: true }, (error) => resolve(error?.message ?? "found")),
  );
  assert.match(await looked, /localhost leads to an address that is not public/);
});
