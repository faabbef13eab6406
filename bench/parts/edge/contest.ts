import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, toJwks } from "@ferry/platform/auth";
import { newUuid } from "@ferry/platform/db";
import { Child } from "../child.ts";
import type { LoopFigures } from "../closed-loop.ts";
import { type ContestOptions, type ContestResult, compete } from "../contest.ts";
import { makePeople, type Person } from "./people.ts";
import { type RealEdge, startRealEdge } from "./real-edge.ts";

/** Requests under way at once, each on a connection of its own. */
const IN_FLIGHT = 64;

/** What both must answer alike: the transfer, and the refusals. @throws AssertionError with what differs. */
async function demandSameAnswers(origins: readonly string[], [first, second]: readonly Person[]): Promise<void> {
  const { transferId, authorization } = first!;
  const forged = `${authorization.slice(0, -4)}AAAA`;
  const questions: [path: string, authorization: string | undefined, status: number][] = [
    [transferId, authorization, 200],
    [transferId, undefined, 401],
    [transferId, forged, 401],
    [second!.transferId, authorization, 404],
    [newUuid(), authorization, 404],
    ["no-uuid", authorization, 400],
  ];
  const ask = async (origin: string, [id, token]: (typeof questions)[number]) => {
    const headers = token === undefined ? undefined : { authorization: token };
    const answer = await fetch(`${origin}/v1/transfers/${id}`, { headers });
    const { data, meta } = (await answer.json()) as { data?: unknown; meta?: { requestId?: string } };
    assert.equal(answer.headers.get("x-request-id"), meta?.requestId);
    return { status: answer.status, data, security: answer.headers.get("content-security-policy") };
  };
  for (const question of questions) {
    const answers = await Promise.all(origins.map((origin) => ask(origin, question)));
    assert.equal(answers[0]!.status, question[2], question[0]);
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
  }
}

/** GET /v1/transfers/{id} through the edge, beside the same by hand: CPU of the edge's process for a request. */
export async function contestEdge(options: ContestOptions): Promise<ContestResult> {
  const directory = mkdtempSync(join(tmpdir(), "ferry-bench-edge-"));
  const [backend, floor, caller] = ["backend", "floor", "caller"].map((name) => new Child(`edge/${name}.ts`));
  let edge: RealEdge | undefined;
  try {
    const [memberKeys, edgeKeys] = [generateKeyPair(), generateKeyPair()];
    const trustedServices = JSON.stringify(toJwks(new Map([["edge", edgeKeys.publicKeyPem]])));
    const people = makePeople(memberKeys.privateKeyPem);
    const memberKeyPem = memberKeys.publicKeyPem;
    await caller!.ask("meet", people);
    const ports = await backend!.ask<{ member: number; transfer: number }>("serve", {
      ...{ people, memberKeyPem, trustedServices },
    });
    const { privateKeyPem } = edgeKeys;
    const { member: memberPort, transfer: transferPort } = ports;
    edge = await startRealEdge({ directory, privateKeyPem, trustedServices, memberPort, transferPort });
    const floorPort = await floor!.ask<number>("serve", { memberKeyPem, transferPort });
    const origins = { ferry: edge.origin, fastify: `http://127.0.0.1:${floorPort}` };
    await demandSameAnswers(Object.values(origins), people);
    const load = (origin: string) => (seconds: number) =>
      caller!.ask<LoopFigures>("load", { origin, seconds, inFlight: IN_FLIGHT });
    const beside = { backend: backend!.pid, caller: caller!.pid };
    const contenders = [
      { name: "ferry", roots: { edge: edge.pid, ...beside }, counted: ["edge"], run: load(origins.ferry) },
      { name: "fastify", roots: { edge: floor!.pid, ...beside }, counted: ["edge"], run: load(origins.fastify) },
    ];
    return await compete(contenders, options);
  } finally {
    await Promise.all([edge?.end(), caller!.end(), floor!.end(), backend!.end()]);
    rmSync(directory, { recursive: true, force: true });
  }
}
