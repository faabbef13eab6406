// What a team could put in front of its gRPC services instead of Ferry's edge, and how each is started.
import { join, resolve } from "node:path";
import { ACCESS_TOKEN } from "@ferry/platform/auth";
import type { ChildOptions } from "../../peers/child.ts";
import { findFreePort, startEngine } from "../../peers/engine.ts";
import { installGo, installPackages } from "../../peers/install.ts";
import { Child } from "../child.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const SOURCES = join(REPOSITORY, "bench/peers/edge");
const INSTALLED = join(REPOSITORY, ".ferry/peers");
const CONTRACT = "bench/transfer/v1/transfer.proto";
const PROTO_FOLDERS = [join(SOURCES, "contract"), join(REPOSITORY, "proto"), join(REPOSITORY, "third_party")];

/** What every edge is started with. */
export interface EdgeSetUp {
  publicKeyPem: string;
  publicKeyFile: string;
  backendPort: number;
  signal: AbortSignal;
  log(line: string): void;
}

export interface RunningEdge {
  pid: number;
  port: number;
  end(): Promise<void>;
}

export interface EdgePeer {
  name: string;
  /** What it is, and what it does not do that Ferry does: to be said wherever it is quoted. */
  note: string;
  start(setUp: EdgeSetUp): Promise<RunningEdge>;
}

const NOT_DONE = "no field rules, scopes, suspension, limits, ids, ETag, envelope or security headers";

async function inRepository(file: string, argument: object): Promise<RunningEdge> {
  const child = new Child(file);
  try {
    return { pid: child.pid, port: await child.ask<number>("serve", argument), end: () => child.end() };
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** Any answer will do: without a token it is 401. */
async function listens(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    (answer) => answer.arrayBuffer().then(() => true),
    () => false,
  );
}

async function inProcess(
  command: Pick<ChildOptions, "command" | "args">,
  { publicKeyFile, backendPort, signal }: EdgeSetUp,
  environment: Record<string, string>,
): Promise<RunningEdge> {
  const port = await findFreePort();
  const settings = { PORT: String(port), BACKEND: `127.0.0.1:${backendPort}`, PUBLIC_KEY_FILE: publicKeyFile };
  const { issuer: ISSUER, audience: AUDIENCE } = ACCESS_TOKEN;
  const engine = await startEngine(
    { ...command, environment: { ...settings, ISSUER, AUDIENCE, NODE_ENV: "production", ...environment } },
    { settings: {}, signal, isReady: () => listens(port) },
  );
  return { pid: engine.pid, port, end: () => engine.stop() };
}

async function startGo(program: string, setUp: EdgeSetUp, environment: Record<string, string>): Promise<RunningEdge> {
  const target = join(INSTALLED, "edge-go");
  await installGo({ source: join(SOURCES, "go"), target, signal: setUp.signal, log: setUp.log });
  return inProcess({ command: join(target, program), args: [] }, setUp, environment);
}

async function startNest(setUp: EdgeSetUp, environment: Record<string, string>): Promise<RunningEdge> {
  const target = join(INSTALLED, "edge-nest");
  await installPackages({ source: join(SOURCES, "nest"), target, signal: setUp.signal, log: setUp.log });
  const contract = { PROTO_FILE: CONTRACT, PROTO_FOLDERS: PROTO_FOLDERS.join(":") };
  const command = { command: process.execPath, args: [join(target, "program.mjs")] };
  return inProcess(command, setUp, { ...contract, ...environment });
}

/** In the order in which they are measured; the first is ours. */
export const EDGES: readonly EdgePeer[] = [
  {
    name: "ferry",
    note: "all that the edge does; a token that was good is looked up after that",
    start: (setUp) =>
      inRepository("edge-peers/ferry.ts", { publicKeyPem: setUp.publicKeyPem, backendPort: setUp.backendPort }),
  },
  {
    name: "grpc-gateway",
    note: `Go; a token is verified with each request; ${NOT_DONE}`,
    start: (setUp) => startGo("gateway", setUp, {}),
  },
  {
    name: "grpc-gateway-kept",
    note: `the same with a map of tokens that were good; ${NOT_DONE}`,
    start: (setUp) => startGo("gateway", setUp, { KEEP_TOKENS: "1" }),
  },
  {
    name: "vanguard",
    note: `Go, as a proxy; a token is verified with each request; no deadline either; ${NOT_DONE}`,
    start: (setUp) => startGo("vanguard", setUp, {}),
  },
  {
    name: "fastify",
    note: `Fastify and grpc-js by hand; a token is verified with each request; ${NOT_DONE}`,
    start: (setUp) =>
      inRepository("edge-peers/fastify.ts", {
        ...{ publicKeyPem: setUp.publicKeyPem, backendPort: setUp.backendPort, keep: false },
      }),
  },
  {
    name: "fastify-kept",
    note: `the same with a map of tokens that were good; ${NOT_DONE}`,
    start: (setUp) =>
      inRepository("edge-peers/fastify.ts", {
        ...{ publicKeyPem: setUp.publicKeyPem, backendPort: setUp.backendPort, keep: true },
      }),
  },
  {
    name: "nest",
    note: "NestJS at its best: Fastify below, the key parsed once; field rules by class-validator, the rest not",
    start: (setUp) => startNest(setUp, { BEST: "1" }),
  },
  {
    name: "nest-usual",
    note: "NestJS as usually written: the key given as text, parsed with each request",
    start: (setUp) => startNest(setUp, { BEST: "0" }),
  },
];
