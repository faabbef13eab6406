// Runs the seeds that it is sent, on a PostgreSQL of its own, until it is told to end.
import { startCluster } from "./cluster.ts";
import { runSeed, type SeedReport } from "./world.ts";

/** What a worker is told. */
export type Order = { seed: number; intensity: number; twice: boolean } | { end: true };
/** What it answers: first of all that it is ready. */
export type Said = { ready: true } | { report: SeedReport };

const cluster = await startCluster();
const say = (said: Said) => process.send?.(said);

/** A world that could not even be run is a finding too. */
async function run(seed: number, intensity: number): Promise<SeedReport> {
  try {
    return await runSeed(cluster, { seed, intensity });
  } catch (error) {
    const findings = [`the simulation itself failed: ${error instanceof Error ? error.stack : error}`];
    return { seed, findings, faults: {}, ends: {}, counts: {}, steps: 0, elapsedMs: 0, trace: "" };
  }
}

let work = Promise.resolve();
process.on("message", (order: Order) => {
  work = work.then(async () => {
    if ("end" in order) {
      await cluster.stop();
      process.disconnect?.();
      return;
    }
    const report = await run(order.seed, order.intensity);
    say({ report: order.twice ? { ...report, replay: (await run(order.seed, order.intensity)).trace } : report });
  });
});
process.on("disconnect", () => void work.then(() => cluster.stop()).then(() => process.exit()));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => void cluster.stop().finally(() => process.exit(1)));
say({ ready: true });
