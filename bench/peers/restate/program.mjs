import { once } from "node:events";
import { createServer } from "node:http2";
import { createEndpointHandler, service } from "@restatedev/restate-sdk";
import { connect, rpc } from "@restatedev/restate-sdk-clients";

const REGISTER_LIMIT_MS = 30_000;

/** Tells the server where the handlers are. */
async function register(adminUrl, uri) {
  const response = await fetch(`${adminUrl}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri, force: true }),
    signal: AbortSignal.timeout(REGISTER_LIMIT_MS),
  });
  if (!response.ok) throw new Error(`Restate did not take the service: ${response.status} ${await response.text()}`);
}

/**
 * A service of Restate, called through the server's ingress with an idempotency key. Each step runs in
 * the journal, so its result is on the server's disk before the next one starts.
 *
 * @param {import("../workload/program.ts").ProgramContext} context
 * @returns {Promise<import("../workload/program.ts").RunningPeer>}
 */
export async function start({ steps, carryOut, settings }) {
  const durableIn = (context) =>
    Object.fromEntries(
      Object.entries(steps).map(([name, run]) => [name, (...args) => context.run(name, () => run(...args))]),
    );
  const transfers = service({
    name: "Transfer",
    handlers: { run: (context, transfer) => carryOut(durableIn(context), transfer) },
  });
  const server = createServer(createEndpointHandler({ services: [transfers] }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await register(settings.adminUrl, `http://127.0.0.1:${server.address().port}`);
  const client = connect({ url: settings.ingressUrl }).serviceClient(transfers);
  return {
    carryOut: ([transfer]) => client.run(transfer, rpc.opts({ idempotencyKey: transfer.id })),
    async stop() {
      server.close(); // Sessions of the server stay open; they end with this process.
    },
  };
}
