import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { nodeArguments } from "../../../local/up/plan.ts";
import { waitFor } from "../../../test/support/platform.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const PROBE_OFFSET = 1_000;
const ATTEMPTS = 50;
const READY_TIMEOUT_MS = 20_000;

export interface RealEdge {
  origin: string;
  pid: number;
  end(): Promise<void>;
}

export interface RealEdgeOptions {
  /** For its key, the services' keys and its log. */
  directory: string;
  privateKeyPem: string;
  trustedServices: string;
  memberPort: number;
  transferPort: number;
}

function portOrNothing(port: number): Promise<number | undefined> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(undefined));
    probe.listen(port, "127.0.0.1", () => {
      const { port: found } = probe.address() as { port: number };
      probe.close(() => done(found));
    });
  });
}

/** The edge listens on a port and, for its probes, on the one 1,000 above it. */
async function findPort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = await portOrNothing(0);
    if (port !== undefined && (await portOrNothing(port + PROBE_OFFSET)) !== undefined) return port;
  }
  throw new Error("no two free ports for the edge");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  await ended;
}

/** Starts the edge as the launcher does, before backends that are given. */
export async function startRealEdge(options: RealEdgeOptions): Promise<RealEdge> {
  const { directory, memberPort, transferPort } = options;
  const [keyFile, trustFile] = [join(directory, "edge.pem"), join(directory, "services.jwks.json")];
  writeFileSync(keyFile, options.privateKeyPem, { mode: 0o600 });
  writeFileSync(trustFile, options.trustedServices);
  const port = await findPort();
  const elsewhere = ["LEDGER", "BANKING", "PAYMENT"].map((name) => [
    `FERRY_${name}_URL`,
    `http://127.0.0.1:${transferPort}`,
  ]);
  const logFile = join(directory, "edge.log");
  const log = openSync(logFile, "a");
  const child = spawn(process.execPath, [...nodeArguments("edge"), join(REPOSITORY, "edge/main.ts")], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ...Object.fromEntries(elsewhere),
      FERRY_EDGE_PORT: String(port),
      FERRY_SERVICE_KEY_FILE: keyFile,
      FERRY_SERVICE_TRUST_FILE: trustFile,
      FERRY_MEMBER_URL: `http://127.0.0.1:${memberPort}`,
      FERRY_TRANSFER_URL: `http://127.0.0.1:${transferPort}`,
    },
    stdio: ["ignore", log, log, "ipc"], // The channel ends with this process, and the edge with the channel.
  });
  const origin = `http://127.0.0.1:${port}`;
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`the edge ended:\n${readFileSync(logFile, "utf8")}`);
    const answer = await fetch(`${origin}/readyz`).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  };
  await waitFor("the edge to be ready", isReady, READY_TIMEOUT_MS).catch(async (error: Error) => {
    await end(child);
    throw new Error(`${error.message}\n${readFileSync(logFile, "utf8")}`);
  });
  return { origin, pid: child.pid ?? 0, end: () => end(child) };
}
