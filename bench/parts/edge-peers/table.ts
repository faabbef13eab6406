import { table } from "../../report/text.ts";
import type { Measured } from "../../scenario.ts";
import type { Tally } from "../contest.ts";
import { contenderOf, type EdgePeersResult, KINDS, type Kind } from "./contest.ts";
import { EDGES } from "./peers.ts";

const US_IN_SECOND = 1_000_000;

/** Requests that one second of the edge's CPU answers. */
const perCpuSecond = (tally: Tally | undefined): number =>
  tally === undefined || tally.cpuUs === 0 ? 0 : US_IN_SECOND / tally.cpuUs;

/** What each edge answers per CPU second, and how many times that ours does. */
export function factsOf({ tallies, leftOut, pinned }: EdgePeersResult): Measured["facts"] {
  const figure = (name: string, kind: Kind) =>
    perCpuSecond(tallies.find((tally) => tally.name === contenderOf(name, kind)));
  const facts: Measured["facts"] = { "requests are": "those that a second of the edge's own CPU answers" };
  for (const { name } of EDGES) {
    const reason = leftOut[name];
    if (reason !== undefined) facts[`${name} is left out`] = reason;
    else
      for (const kind of KINDS) {
        const theirs = figure(name, kind);
        facts[`${name} ${kind}, requests`] = Math.round(theirs);
        if (name !== EDGES[0]!.name) facts[`times ${name} ${kind}`] = theirs === 0 ? 0 : figure("ferry", kind) / theirs;
      }
  }
  facts["each edge has a core for itself"] = pinned;
  return facts;
}

/** The same for a person. */
export function linesOf({ tallies, leftOut }: EdgePeersResult): string[] {
  const of = (name: string, kind: Kind) => tallies.find((tally) => tally.name === contenderOf(name, kind));
  const rows = EDGES.filter(({ name }) => leftOut[name] === undefined).map(({ name }) => [
    name,
    ...KINDS.map((kind) => perCpuSecond(of(name, kind)).toFixed(0)),
    ...KINDS.map((kind) => (perCpuSecond(of("ferry", kind)) / perCpuSecond(of(name, kind))).toFixed(2)),
    ...KINDS.map((kind) => (of(name, kind)?.p50Ms ?? 0).toFixed(1)),
  ]);
  const head = ["requests per CPU second", ...KINDS, ...KINDS.map((kind) => `ours is, ${kind}`)];
  const notes = EDGES.map(({ name, note }) => `${name}: ${note}`);
  return [...table([[...head, ...KINDS.map((kind) => `p50 ms, ${kind}`)], ...rows]), ...notes];
}
