// The ways to hear of an end, through a whole platform: a webhook that a real HTTP server receives and verifies,
// also when notify is killed while it sends; dead letters redriven; a stream of changes; a poll that costs little.
import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { EdgeCaller, toBank } from "../support/client.ts";
import { makeParties, type Party } from "../support/load.ts";
import { Platform, waitFor } from "../support/platform.ts";

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

const received: Received[] = [];
/** What the receiver does with the next webhook; it may also leave it without an answer. */
let answer: (response: ServerResponse) => void;
const accept = (response: ServerResponse) => void response.writeHead(204).end();

const receiver = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (chunk: string) => {
    body += chunk;
  });
  request.on("end", () => {
    received.push({ headers: request.headers, body });
    answer(response);
  });
});

let platform: Platform;
let edge: EdgeCaller;
let party: Party;
let endpointId: string;
let secret: string;

before(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  platform = await Platform.start({
    // Long enough that it is killed during its first try, and its second is answered, also where the machine stands still.
    environment: { FERRY_NOTIFY_RETRY_DELAYS_MS: "100,200", FERRY_NOTIFY_TIMEOUT_MS: "5000" },
  });
  edge = new EdgeCaller(platform.edge);
  [party] = (await makeParties(edge, 1)) as [Party];
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
  const created = await edge.expect(201, "POST", "/v1/webhook-endpoints", {
    token: party.token,
    body: { url, eventTypes: ["transfer.completed"], description: "the flow's" },
  });
  endpointId = created.endpoint.id;
  secret = created.secret;
});
after(async () => {
  await platform.stop();
  receiver.closeAllConnections();
  receiver.close();
});

/** As docs/webhooks.md tells receivers to. */
function verify({ headers, body }: Received): {
  id: string;
  type: string;
  data: Record<string, Record<string, string>>;
} {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  assert.ok(Math.abs(Date.now() / 1_000 - Number(timestamp)) < 300);
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  const given = String(signatures)
    .split(" ")
    .map((signature) => Buffer.from(signature.slice("v1,".length), "base64"));
  assert.ok(given.some((one) => one.length === expected.length && timingSafeEqual(one, expected)));
  return JSON.parse(body);
}

async function send(): Promise<string> {
  const reply = await edge.transfer(party.token, toBank(party.accountId, "2200001234", "5"), { waitSeconds: 20 });
  assert.equal(reply.body.data.transfer.state, "TRANSFER_STATE_COMPLETED");
  return reply.body.data.transfer.id;
}

const webhooksOf = (transferId: string) => received.filter(({ body }) => body.includes(`"transferId":"${transferId}"`));

test("a completed transfer comes as a webhook, once, and its signature verifies", async () => {
  answer = accept;
  const transferId = await send();
  const [webhook] = await waitFor("the webhook", () => {
    const found = webhooksOf(transferId);
    return found.length > 0 ? found : undefined;
  });
  const { id, type, data } = verify(webhook!);
  assert.equal(id, webhook!.headers["webhook-id"]);
  assert.equal(type, "transfer.completed");
  assert.equal(data.transfer!.id, transferId);
  const shown = await edge.expect(200, "GET", `/v1/transfers/${transferId}`, { token: party.token });
  assert.deepEqual(data.transfer, shown.transfer, "the webhook carries what the edge shows");
});

test("kill -9 of notify while it sends: the webhook comes again, with the same id, and no more often", async () => {
  answer = () => {}; // Never.
  const transferId = await send();
  await waitFor("the first try", () => webhooksOf(transferId).length === 1 || undefined);
  platform.kill9("notify");
  answer = accept;
  await waitFor("the second try", () => webhooksOf(transferId).length === 2 || undefined);
  const { deliveries } = await waitFor("its end", async () => {
    const path = `/v1/webhook-endpoints/${endpointId}/deliveries?state=DELIVERY_STATE_DELIVERED`;
    const data = await edge.expect(200, "GET", path, { token: party.token });
    return data.deliveries[0]?.subject === transferId ? data : undefined;
  });
  assert.equal(deliveries[0].attemptCount, 2);
  const ids = webhooksOf(transferId)
    .map(verify)
    .map(({ id }) => id);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
});

test("what was given up is listed with its attempts, and redriven", async () => {
  answer = (response) => void response.writeHead(500).end();
  const transferId = await send();
  const { token } = party;
  const dead = await waitFor("its end", async () => {
    const path = `/v1/webhook-endpoints/${endpointId}/deliveries?state=DELIVERY_STATE_DEAD`;
    return (await edge.expect(200, "GET", path, { token })).deliveries[0];
  });
  assert.equal(dead.subject, transferId);
  assert.deepEqual(
    dead.attempts.map(({ httpStatus }: { httpStatus: number }) => httpStatus),
    [500, 500, 500],
  );
  answer = accept;
  await edge.expect(200, "POST", `/v1/webhook-deliveries/${dead.id}:redrive`, { token, body: {} });
  await waitFor("the fourth", () => webhooksOf(transferId).length === 4 || undefined);
});

test("a watched transfer is told until its end, by the edge's stream", async () => {
  const { token, accountId } = party;
  const body = toBank(accountId, "2200001234", "5");
  const { transfer } = (await edge.transfer(token, body, { waitSeconds: 0 })).body.data;
  const watch = (headers: Record<string, string>) =>
    fetch(`${platform.edge}/v1/transfers/${transfer.id}:watch`, {
      headers: { authorization: `Bearer ${token}`, ...headers },
      signal: AbortSignal.timeout(30_000),
    });
  const response = await watch({});
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const events = [...(await response.text()).matchAll(/id: (\d+)\ndata: (.+)\n\n/g)];
  assert.equal(JSON.parse(events.at(-1)![2]!).transfer.state, "TRANSFER_STATE_COMPLETED");
  assert.equal((await watch({ "last-event-id": events.at(-1)![1]! })).status, 204);
});

test("who polls and has the answer already gets 304", async () => {
  const { token } = party;
  const first = await edge.insist("GET", "/v1/transfers?page_size=1", { token });
  const etag = String(first.headers.get("etag"));
  const headers = { "if-none-match": etag };
  assert.equal((await edge.insist("GET", "/v1/transfers?page_size=1", { token, headers })).status, 304);
});
