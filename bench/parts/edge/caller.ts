// Asks an edge for transfers, from a process of its own.
import { createHttpClient, type HttpClient } from "../../driver/http.ts";
import { closedLoop } from "../closed-loop.ts";
import { serveParent } from "../serve-parent.ts";
import type { Person } from "./people.ts";

const clients = new Map<string, HttpClient>();

function clientOf(origin: string, connections: number): HttpClient {
  const client = clients.get(origin) ?? createHttpClient(origin, connections);
  clients.set(origin, client);
  return client;
}

let people: Person[] = [];

serveParent({
  meet(given: Person[]) {
    people = given;
  },
  load({ origin, seconds, inFlight }: { origin: string; seconds: number; inFlight: number }) {
    const client = clientOf(origin, inFlight);
    let next = 0;
    return closedLoop(
      async () => {
        const { transferId, authorization } = people[next++ % people.length]!;
        const path = `/v1/transfers/${transferId}`;
        const { status, body } = await client.send({ method: "GET", path, headers: { authorization } });
        if (status !== 200 || !body.includes(transferId)) throw new Error(`${status} ${body}`);
      },
      { seconds, inFlight },
    );
  },
});
