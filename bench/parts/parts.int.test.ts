// Every part is run for a moment, so that a change of what it stands on is noticed here and not at the next
// measurement. What it costs is nobody's concern here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasProc } from "../../test/support/processes.ts";
import { contestBus } from "./bus/contest.ts";
import type { ContestOptions, ContestResult } from "./contest.ts";
import { floorRows } from "./costs/floors.ts";
import { contestEdge } from "./edge/contest.ts";
import { contestHop } from "./hop/contest.ts";
import { contestLedger } from "./ledger/contest.ts";
import { findPgbench } from "./ledger/pgbench.ts";

const options: ContestOptions = { seconds: 0.2, rounds: 1, warmUpSeconds: 0.1, log: () => {} };
const contests = { edge: contestEdge, hop: contestHop, bus: contestBus, ledger: contestLedger };
const names = {
  edge: ["ferry", "fastify"],
  hop: ["ferry", "grpc-js", "http2"],
  bus: ["ferry", "kafkajs"],
  ledger: ["ferry", "pg", ...(findPgbench() === undefined ? [] : ["pgbench"])],
};

/** What is told of a call while the machine paused: a hop has a second by its contract, and an edge sheds when it is late. */
const HELD_UP = /deadline|the time for the call is over|overloaded/i;
const ATTEMPTS = 3;

/** A contest, held anew where the machine did not let it go on. */
async function contestOf(part: keyof typeof contests): Promise<ContestResult> {
  for (let attempt = 1; ; attempt++) {
    const result = await contests[part](options).catch((error: Error) => error);
    const isError = result instanceof Error;
    const told = isError ? result.message : result.tallies.map(({ example }) => example).join();
    if (attempt < ATTEMPTS && HELD_UP.test(told)) continue;
    if (isError) throw result;
    return result;
  }
}

test("each part and its floors do the same work without an error", { skip: !hasProc && "no /proc" }, async () => {
  const results = {} as Record<keyof typeof contests, ContestResult>;
  for (const part of Object.keys(contests) as (keyof typeof contests)[]) {
    const result = await contestOf(part);
    results[part] = result;
    assert.deepEqual(
      result.tallies.map(({ name }) => name),
      names[part],
    );
    for (const { name, count, errors, example } of result.tallies) {
      assert.equal(errors, 0, `${part}, ${name}: ${example}`);
      assert.ok(count > 0, `${part}, ${name}`);
    }
  }
  assert.equal(floorRows(results).length, names.ledger.includes("pgbench") ? 10 : 9);
});
