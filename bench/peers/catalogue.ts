import type { Engine, EngineContext } from "./engine.ts";
import { startRestate } from "./restate/engine.ts";
import { startTemporal } from "./temporal/engine.ts";

/** What a team could take instead of Ferry, or what nothing can go below. */
export interface Peer {
  name: string;
  /** What it is, and what of Ferry's durability it has and has not: to be said wherever it is quoted. */
  note: string;
  /** Its program, from this folder. */
  program: string;
  /** Whether its folder names npm packages of its own, to be installed on demand. */
  packages: boolean;
  /** Whether its tables lie beside the ledger's in PostgreSQL. */
  systemDatabase?: boolean;
  settings?: Readonly<Record<string, string>>;
  startEngine?(context: EngineContext): Promise<Engine>;
}

/** In the order in which they are measured. */
export const PEERS: readonly Peer[] = [
  {
    name: "floor",
    note: "no engine: one Node process, each step one statement and one commit; a crash between steps leaves a hold that nobody ends",
    program: "floor/program.ts",
    packages: false,
  },
  {
    name: "floor-sets",
    note: "as floor, in sets of half of all in flight, each step one transaction for the set; a crash leaves a set's holds",
    program: "floor/program.ts",
    packages: false,
    settings: { style: "sets" },
  },
  {
    name: "dbos",
    note: "a library in the same process; a commit to PostgreSQL for each step, the start and the end",
    program: "dbos/program.mjs",
    packages: true,
    systemDatabase: true,
  },
  {
    name: "restate",
    note: "as it comes, with 24 partitions; one node, one copy; each step in a journal that the server syncs to disk",
    program: "restate/program.mjs",
    packages: true,
    startEngine: (context) => startRestate(context, 24),
  },
  {
    name: "restate-tuned",
    note: "as restate, with 4 partitions, which two cores carry faster",
    program: "restate/program.mjs",
    packages: true,
    startEngine: (context) => startRestate(context, 4),
  },
  {
    name: "temporal",
    note: "development server on SQLite, synced to disk; an activity for each step; one shard, far from a production cluster's ceiling",
    program: "temporal/program.mjs",
    packages: true,
    settings: { style: "activities" },
    startEngine: (context) => startTemporal(context, "file"),
  },
  {
    name: "temporal-local",
    note: "development server in memory, local activities: its fastest; nothing outlives the server, a crash repeats all steps of a transfer",
    program: "temporal/program.mjs",
    packages: true,
    settings: { style: "local" },
    startEngine: (context) => startTemporal(context, "memory"),
  },
];

/**
 * The peers of the given names, in the catalogue's order; all without names.
 *
 * @throws Error that names those that there are, when there is none of a name.
 */
export function selectPeers(only?: readonly string[]): readonly Peer[] {
  if (only === undefined) return PEERS;
  const unknown = only.find((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown !== undefined)
    throw new Error(`There is no peer "${unknown}"; there are ${PEERS.map(({ name }) => name).join(", ")}`);
  return PEERS.filter(({ name }) => only.includes(name));
}
