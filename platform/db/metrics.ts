import { gauge, removerOf } from "@ferry/platform/telemetry";

const connections = gauge(
  "ferry_db_pool_connections",
  'Connections of the process\'s pool to its database: all ("open"), and those that nobody uses now ("idle").',
  ["pool", "state"],
);
const waiting = gauge("ferry_db_pool_waiting", "Callers that wait for a connection of the pool.", ["pool"]);

interface Pool {
  totalCount: number;
  idleCount: number;
  waitingCount: number;
}

/** Shows a pool in the metrics. @returns takes it out again. */
export function showPool(name: string, pool: Pool): () => void {
  const removals = [
    connections.from(() => [
      { labels: { pool: name, state: "open" }, value: pool.totalCount },
      { labels: { pool: name, state: "idle" }, value: pool.idleCount },
    ]),
    waiting.from(() => [{ labels: { pool: name }, value: pool.waitingCount }]),
  ];
  return removerOf(removals);
}
