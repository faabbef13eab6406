import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair } from "@ferry/platform/auth";
import { reasonOf } from "../../peers/result.ts";
import { Child } from "../child.ts";
import type { LoopFigures } from "../closed-loop.ts";
import { type Contender, type ContestOptions, type ContestResult, compete } from "../contest.ts";
import { demandRightAnswers } from "./answers.ts";
import type { LoadOptions } from "./caller.ts";
import { EDGES, type RunningEdge } from "./peers.ts";
import { makeTokens } from "./tokens.ts";
import { CREATE_BODY } from "./transfers.ts";

/** Requests under way at once, each on a connection of its own. */
const CONNECTIONS = 64;

export const KINDS = ["GET", "POST"] as const;
export type Kind = (typeof KINDS)[number];

export interface EdgePeersResult extends ContestResult {
  /** Peers that could not be had, with the reason in a line. */
  leftOut: Record<string, string>;
  pinned: boolean;
}

/** The name of a contender. */
export const contenderOf = (name: string, kind: Kind): string => `${name} ${kind}`;

function requestsOf(kind: Kind, tokens: readonly string[]): string[] {
  const body = JSON.stringify(CREATE_BODY);
  return tokens.map((token, index) => {
    const headers = `Host: edge\r\nAuthorization: Bearer ${token}\r\n`;
    if (kind === "GET") return `GET /v1/transfers/tr_${index} HTTP/1.1\r\n${headers}\r\n`;
    const length = Buffer.byteLength(body);
    const more = `Content-Type: application/json\r\nContent-Length: ${length}\r\n`;
    return `POST /v1/transfers HTTP/1.1\r\n${headers}${more}\r\n${body}`;
  });
}

/** Gives a process with all its threads one core. False where that cannot be done. */
function pin(pid: number, core: number): boolean {
  if (availableParallelism() < 2) return false;
  return spawnSync("taskset", ["-apc", String(core), String(pid)], { stdio: "ignore" }).status === 0;
}

/**
 * One route that reads and one that writes, through the edge and through what a team could take instead: the CPU of
 * the edge's own process for a request. Each has core 0 for itself, where cores can be given; the backend and the
 * driver share another.
 */
export async function contestEdgePeers(options: ContestOptions): Promise<EdgePeersResult> {
  const directory = mkdtempSync(join(tmpdir(), "ferry-bench-edges-"));
  const [backend, caller] = ["backend", "caller"].map((name) => new Child(`edge-peers/${name}.ts`));
  const running: RunningEdge[] = [];
  const leftOut: Record<string, string> = {};
  try {
    const { publicKeyPem, privateKeyPem } = generateKeyPair();
    const publicKeyFile = join(directory, "public.pem");
    writeFileSync(publicKeyFile, publicKeyPem);
    const tokens = makeTokens(privateKeyPem);
    const pinned = pin(backend!.pid, 1) && pin(caller!.pid, 1);
    const backendPort = await backend!.ask<number>("serve");
    const setUp = { publicKeyPem, publicKeyFile, backendPort, signal: new AbortController().signal, log: options.log };
    const contenders: Contender[] = [];
    for (const edge of EDGES) {
      try {
        const { pid, port } = await begun(edge.start(setUp), running);
        await demandRightAnswers(port, tokens[0]!);
        if (pinned) pin(pid, 0);
        for (const kind of KINDS) contenders.push(contender(contenderOf(edge.name, kind), pid, loadOf(port, kind)));
      } catch (error) {
        if (edge === EDGES[0]) throw error;
        leftOut[edge.name] = reasonOf(error);
        options.log(`  ${edge.name} is left out: ${leftOut[edge.name]}`);
      }
    }
    return { ...(await compete(contenders, options)), leftOut, pinned };

    function loadOf(port: number, kind: Kind) {
      const requests = requestsOf(kind, tokens);
      return (seconds: number) =>
        caller!.ask<LoopFigures>("load", { port, connections: CONNECTIONS, seconds, requests } satisfies LoadOptions);
    }
  } finally {
    await Promise.all([...running, caller!, backend!].map((process) => process.end()));
    rmSync(directory, { recursive: true, force: true });
  }

  function contender(name: string, pid: number, run: Contender["run"]): Contender {
    return { name, roots: { edge: pid, backend: backend!.pid, caller: caller!.pid }, counted: ["edge"], run };
  }
}

/** Remembers what was started, so that it is ended whatever comes. */
async function begun(starting: Promise<RunningEdge>, running: RunningEdge[]): Promise<RunningEdge> {
  const edge = await starting;
  running.push(edge);
  return edge;
}
