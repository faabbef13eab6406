// What is besieged, in a process of its own: an edge before backends in memory, or a gRPC server. Started by
// besieged.ts with its options as JSON; it tells its port, and what it holds when it is asked.
import { fileURLToPath } from "node:url";
import { createRpcServer } from "@ferry/platform/rpc";
import { silentLogger } from "@ferry/platform/telemetry";
import type { EdgeLimits } from "../../edge/config.ts";
import { createHarness } from "../../edge/testing/harness.ts";
import { authenticator, build } from "../../platform/rpc/testing/harness.ts";
import { PatientEcho } from "./echo.ts";

export const TARGET = fileURLToPath(import.meta.url);

export interface TargetOptions {
  kind: "edge" | "rpc";
  limits?: Partial<EdgeLimits>;
  trustedProxies?: readonly string[];
}

export interface Started {
  port: number;
  /** The header of a member. */
  authorization: string;
}

/** What the process is asked: its connections cost nothing to count, what it holds is known after a collection only. */
export type Question = "connections" | "holding";

/** What a process holds, after its garbage is collected. In bytes. */
export interface Holding {
  connections: number;
  heap: number;
  rss: number;
}

/** One large answer: what an attacker does not read. */
const LARGE = { transfers: Array.from({ length: 8 }, () => ({ memo: "x".repeat(65_536) })) };

async function startEdge({ limits, trustedProxies = [] }: TargetOptions) {
  const harness = await createHarness({
    limits: { maxConnections: 16_384, ...limits },
    options: { trustedProxies },
    answers: { ListTransfers: ({ pageSize }: { pageSize: number }) => (pageSize === 100 ? LARGE : {}) },
  });
  await harness.components[0]!.start?.();
  const { server } = harness.app;
  const connections = () =>
    new Promise<number>((done, fail) =>
      server.getConnections((error, count) => (error === null ? done(count) : fail(error))),
    );
  // The harness keeps every call for tests that look at them, which no edge does.
  const forget = () => {
    harness.seen.length = 0;
  };
  return { port: harness.port(), authorization: harness.bearer(), connections, forget };
}

async function startRpc() {
  const server = createRpcServer({
    ...{ service: "echo", port: 0, authenticator, build, logger: silentLogger },
    routes: (router) => void router.service(PatientEcho, { echo: ({ text }: { text: string }) => ({ text }) } as never),
  });
  await server.start();
  return { port: server.port, authorization: "Bearer member/m1", connections: async () => 0, forget: () => {} };
}

/** Three rounds: what finalizers let go of is collected in the next. */
async function holdingOf(connections: () => Promise<number>): Promise<Holding> {
  for (let round = 0; round < 3; round++) {
    await new Promise(setImmediate);
    globalThis.gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { connections: await connections(), heap: heapUsed + external, rss };
}

async function main(options: TargetOptions): Promise<void> {
  const { connections, forget, ...started } = options.kind === "edge" ? await startEdge(options) : await startRpc();
  process.send?.(started satisfies Started);
  process.on("message", async (question: Question) => {
    if (question === "connections") process.send?.(await connections());
    else {
      forget();
      process.send?.(await holdingOf(connections));
    }
  });
  process.once("disconnect", () => process.exit());
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "{}"));
