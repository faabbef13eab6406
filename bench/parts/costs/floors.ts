import { contestBus } from "../bus/contest.ts";
import { type ContestOptions, type ContestResult, type Tally, timesFloor } from "../contest.ts";
import { contestEdge } from "../edge/contest.ts";
import { contestHop } from "../hop/contest.ts";
import { contestLedger } from "../ledger/contest.ts";

/** One part beside its floor, in microseconds of CPU for one call, message or transfer. */
export interface FloorRow {
  part: string;
  unit: "request" | "call" | "message" | "transfer";
  oursUs: number;
  floor: string;
  floorUs: number;
  times: number;
}

export interface Floors {
  rows: FloorRow[];
  /** What could not be had, in words. */
  without: string[];
  errors: number;
}

const SECONDS = 4;
const ROUNDS = 4;
const WARM_UP_SECONDS = 1.5;

function rowOf(part: string, unit: FloorRow["unit"], ours: Tally, floor: Tally, what: string, only?: string): FloorRow {
  const figureOf = ({ cpuUs, cpuUsByProcess }: Tally) => (only === undefined ? cpuUs : (cpuUsByProcess[only] ?? 0));
  const [oursUs, floorUs] = [figureOf(ours), figureOf(floor)];
  const times = only === undefined ? timesFloor(ours, floor) : floorUs === 0 ? 0 : oursUs / floorUs;
  return { part, unit, oursUs, floor: what, floorUs, times };
}

/** Rows of the contests, in the order of a transfer's way. */
export function floorRows(results: Record<"edge" | "hop" | "bus" | "ledger", ContestResult>): FloorRow[] {
  const tally = (contest: keyof typeof results, name: string) =>
    results[contest].tallies.find((found) => found.name === name);
  const ours = (contest: keyof typeof results) => tally(contest, "ferry")!;
  const beside = (
    contest: keyof typeof results,
    name: string,
    ...row: [part: string, unit: FloorRow["unit"], what: string, only?: string]
  ): FloorRow[] => {
    const floor = tally(contest, name);
    const [part, unit, what, only] = row;
    return floor === undefined ? [] : [rowOf(part, unit, ours(contest), floor, what, only)];
  };
  return [
    ...beside("edge", "fastify", "edge: HTTP, JSON, JWT, gRPC client", "request", "Fastify and grpc-js by hand"),
    ...beside("hop", "grpc-js", "gRPC client", "call", "raw grpc-js", "client"),
    ...beside("hop", "grpc-js", "gRPC server", "call", "raw grpc-js", "server"),
    ...beside("hop", "grpc-js", "a hop, both sides", "call", "raw grpc-js"),
    ...beside("hop", "http2", "a hop, both sides", "call", "raw node:http2, empty handed"),
    ...beside("bus", "kafkajs", "Kafka client", "message", "kafkajs alone", "client"),
    ...beside("bus", "kafkajs", "broker", "message", "asked by kafkajs alone", "broker"),
    ...beside("ledger", "pg", "ledger: Node", "transfer", "the same statements by pg alone", "node"),
    ...beside("ledger", "pg", "ledger: PostgreSQL", "transfer", "the same statements by pg alone", "postgres"),
    ...beside("ledger", "pgbench", "ledger: PostgreSQL", "transfer", "the same statements by pgbench", "postgres"),
  ];
}

/** Holds every part beside its floor. */
export async function measureFloors(log: (line: string) => void): Promise<Floors> {
  const options: ContestOptions = { seconds: SECONDS, rounds: ROUNDS, warmUpSeconds: WARM_UP_SECONDS, log };
  const say = (what: string) => log(`${what} …`);
  say("edge, beside Fastify and grpc-js by hand");
  const edge = await contestEdge(options);
  say("hop, beside grpc-js and node:http2");
  const hop = await contestHop(options);
  say("bus, beside kafkajs");
  const bus = await contestBus(options);
  say("ledger, beside pg and pgbench");
  const ledger = await contestLedger(options);
  const tallies = [edge, hop, bus, ledger].flatMap((result) => result.tallies);
  return {
    rows: floorRows({ edge, hop, bus, ledger }),
    without: ledger.without === undefined ? [] : [`pgbench: ${ledger.without}`],
    errors: tallies.reduce((sum, { errors }) => sum + errors, 0),
  };
}
