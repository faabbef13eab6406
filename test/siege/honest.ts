import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import type { Besieged } from "./besieged.ts";

const CALLERS = 4;
/** A caller thinks between two requests: what is measured is the wait, not what can be carried. */
const PAUSE_MS = 5;

export interface Served {
  requests: number;
  /** Each as it failed: a status, or an error. */
  failures: string[];
  p50Ms: number;
  p99Ms: number;
}

export type Honest = () => Promise<string>;

/** What an honest client asks for, over connections that it keeps. Resolves with the status. */
export function honestOf({ port, authorization }: Besieged): { ask: Honest; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  const ask = () =>
    new Promise<string>((done, fail) => {
      const options = { host: "127.0.0.1", port, agent, path: "/v1/transfers", headers: { authorization } };
      const call = request(options, (answer) => {
        answer.resume();
        answer.once("end", () => done(String(answer.statusCode)));
        answer.once("error", fail);
      });
      call.once("error", fail);
      call.end();
    });
  return { ask, close: () => agent.destroy() };
}

/** Lets honest clients ask until something is over, and at least so long. */
export async function serveHonest(ask: Honest, over: Promise<unknown>, atLeastMs: number): Promise<Served> {
  const waits: number[] = [];
  const failures: string[] = [];
  let isOver = false;
  const ending = Promise.all([over, pause(atLeastMs)]).finally(() => {
    isOver = true;
  });
  const caller = async () => {
    while (!isOver) {
      const askedMs = performance.now();
      const outcome = await ask().catch((error) => String(error.code ?? error));
      waits.push(performance.now() - askedMs);
      if (outcome !== "200") failures.push(outcome);
      await pause(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  await ending;
  waits.sort((a, b) => a - b);
  const quantile = (share: number) => waits[Math.floor((waits.length - 1) * share)] ?? Number.NaN;
  return { requests: waits.length, failures, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
