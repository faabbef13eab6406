import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Build } from "@ferry/platform/telemetry";

export interface ProbeOptions {
  port: number;
  host: string;
  build: Build;
  /** Reasons why the process is not ready; empty when it is. */
  unready(): string[];
}

/** Answers /livez, /readyz, /version and /metrics over plain HTTP, for whoever places and watches the process. */
export async function startProbes({ port, host, build, unready }: ProbeOptions) {
  const answers: Record<string, () => { status: number; type?: string; body: string }> = {
    "/livez": () => ({ status: 200, body: JSON.stringify({ status: "ok" }) }),
    "/readyz": () => {
      const reasons = unready();
      const status = reasons.length === 0 ? "ok" : "unready";
      return { status: reasons.length === 0 ? 200 : 503, body: JSON.stringify({ status, reasons }) };
    },
    "/version": () => ({ status: 200, body: JSON.stringify(build) }),
    "/metrics": () => ({ status: 200, type: "text/plain; version=0.0.4", body: processMetrics() }),
  };
  const server = createServer((request, response) => {
    const answer = answers[(request.url ?? "").split("?")[0] ?? ""]?.() ?? {
      status: 404,
      body: '{"status":"no such probe"}',
    };
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

/** The process's own figures, by the names that Prometheus clients use for them. */
function processMetrics(): string {
  const { user, system } = process.cpuUsage();
  const lines: [name: string, type: string, value: number][] = [
    ["process_cpu_seconds_total", "counter", (user + system) / 1e6],
    ["process_resident_memory_bytes", "gauge", process.memoryUsage.rss()],
    ["process_start_time_seconds", "gauge", Math.round(Date.now() / 1000 - process.uptime())],
  ];
  return lines.map(([name, type, value]) => `# TYPE ${name} ${type}\n${name} ${value}\n`).join("");
}
