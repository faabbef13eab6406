import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Build, metricsContentType, readMetrics } from "@ferry/platform/telemetry";

export interface ProbeOptions {
  port: number;
  host: string;
  build: Build;
  /** Reasons why the process is not ready; empty when it is. */
  unready(): string[];
}

interface Answer {
  status: number;
  /** Default application/json. */
  type?: string;
  body: string;
}

/** Answers /livez, /readyz, /version and /metrics over plain HTTP, for whoever places and watches the process. */
export async function startProbes({ port, host, build, unready }: ProbeOptions) {
  const answers: Record<string, () => Answer | Promise<Answer>> = {
    "/livez": () => ({ status: 200, body: JSON.stringify({ status: "ok" }) }),
    "/readyz": () => {
      const reasons = unready();
      const status = reasons.length === 0 ? "ok" : "unready";
      return { status: reasons.length === 0 ? 200 : 503, body: JSON.stringify({ status, reasons }) };
    },
    "/version": () => ({ status: 200, body: JSON.stringify(build) }),
    "/metrics": async () => ({ status: 200, type: metricsContentType, body: await readMetrics() }),
  };
  const answerTo = async (path: string): Promise<Answer> => {
    try {
      return (await answers[path]?.()) ?? { status: 404, body: '{"status":"no such probe"}' };
    } catch {
      // Nobody waits for what a listener of requests returns: a part that fails to say how it is would end the process.
      return { status: 500, body: '{"status":"the probe failed"}' };
    }
  };
  const server = createServer(async (request, response) => {
    const answer = await answerTo((request.url ?? "").split("?")[0] ?? "");
    response.writeHead(answer.status, { "content-type": answer.type ?? "application/json" }).end(answer.body);
  });
  server.requestTimeout = 5_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
