// The driver against a server that answers as an edge might: what counts, what is an error, and that
// transfers which are still on their way are followed to their end.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Driver } from "./driver.ts";
import type { LoadFigures, LoadPlan } from "./protocol.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, seen: number) => void;

const transferOf = (id: string, state: string) =>
  JSON.stringify({ data: { transfer: { id, state: `TRANSFER_STATE_${state}` } } });

/** Runs a load against a server until so many requests have come. */
async function drive(answer: Answer, loop: LoadPlan["loop"], requests: number): Promise<LoadFigures> {
  const enough = Promise.withResolvers<void>();
  let seen = 0;
  const server: Server = createServer((request, response) => {
    seen++;
    if (seen >= requests) enough.resolve();
    const count = seen;
    request.resume().on("end", () => answer(request, response, count));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const members = [{ accessToken: "a", refreshToken: "r" }];
  const payers = [{ accountId: "one", member: 0 }];
  const driver = await Driver.start({ edge: `http://127.0.0.1:${port}`, members, payers });
  try {
    await driver.start({ mix: "bank", loop });
    await enough.promise;
    return await driver.stop();
  } finally {
    driver.end();
    server.closeAllConnections();
    server.close();
  }
}

const closed = { kind: "closed", inFlight: 4 } as const;

test("transfers that end at once are counted, and each hundredth is repeated with its key", async () => {
  const firstIds = new Map<string, string>();
  const figures = await drive(
    (request, response, seen) => {
      const key = String(request.headers["idempotency-key"]);
      const known = firstIds.get(key);
      const id = known ?? `id-${seen}`;
      firstIds.set(key, id);
      response.writeHead(
        known === undefined ? 201 : 200,
        known === undefined ? {} : { "idempotency-replayed": "true" },
      );
      response.end(transferOf(id, "COMPLETED"));
    },
    closed,
    450,
  );
  assert.deepEqual([figures.failed, figures.unsent, figures.errorKinds], [0, 0, {}]);
  assert.equal(figures.done, firstIds.size);
  assert.ok(figures.replays >= 4, String(figures.replays));
});

test("a replay with another id is an error", async () => {
  const figures = await drive(
    (_request, response, seen) => response.writeHead(201).end(transferOf(`id-${seen}`, "COMPLETED")),
    closed,
    250,
  );
  assert.ok((figures.errorKinds["a replay was answered otherwise"]?.count ?? 0) >= 2);
});

test("a transfer on its way is asked for until it has ended, and a failed one is an error", async () => {
  const asked = new Map<string, number>();
  const figures = await drive(
    (request, response, seen) => {
      if (request.method === "POST") {
        response.writeHead(202).end(transferOf(`${seen % 2 === 0 ? "good" : "bad"}-${seen}`, "ACCEPTED"));
        return;
      }
      const id = (request.url ?? "").split("/").at(-1)!;
      asked.set(id, (asked.get(id) ?? 0) + 1);
      const end = id.startsWith("good") ? "COMPLETED" : "FAILED";
      response.writeHead(200).end(transferOf(id, asked.get(id)! < 2 ? "SENT" : end));
    },
    closed,
    40,
  );
  assert.equal(figures.done, [...asked.keys()].filter((id) => id.startsWith("good")).length);
  assert.equal(figures.errorKinds["a transfer is FAILED"]?.count, figures.failed);
  assert.ok(figures.done > 0 && figures.failed > 0);
  assert.ok([...asked.values()].every((times) => times === 2));
});

test("refusals are told apart by status, with and without a time to come again", async () => {
  const figures = await drive(
    (_request, response, seen) => {
      if (seen % 2 === 0) response.writeHead(429, { "retry-after": "1" }).end("{}");
      else response.writeHead(503).end("{}");
    },
    closed,
    8,
  );
  assert.ok(figures.refused.tooMany >= 4 && figures.refused.unavailable >= 4);
  assert.equal(figures.refused.withRetryAfter, figures.refused.tooMany);
  assert.deepEqual([figures.done, figures.failed], [0, 0]);
});

test("in the open loop what is due while as many as allowed are open is not sent, and said", async () => {
  const waiting: ServerResponse[] = [];
  const figures = await drive(
    (_request, response, seen) => {
      waiting.push(response);
      if (seen < 3) return;
      for (const one of waiting) one.writeHead(201).end(transferOf("id", "COMPLETED"));
      waiting.length = 0;
    },
    { kind: "open", ratePerSecond: 2_000, maxOpen: 3 },
    30,
  );
  assert.ok(figures.done >= 30);
  assert.ok(figures.unsent > 0);
  assert.equal(figures.errorKinds["not sent: as many as allowed were open"]?.count, figures.unsent);
});
