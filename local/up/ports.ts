import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { ProcessPlan } from "./plan.ts";

/** Whether a port on loopback can be listened on. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** How long processes of a launcher that was killed may take to leave. */
const LEAVING_MS = 10_000;

/** @throws Error that names every port of the plans that something else keeps listening on, as "9102 (ledger)". */
export async function expectFreePorts(plans: readonly ProcessPlan[]): Promise<void> {
  const wanted = plans.flatMap((plan) => plan.ports.map((port) => ({ port, name: plan.name })));
  for (const until = Date.now() + LEAVING_MS; ; await pause(200)) {
    const states = await Promise.all(wanted.map(async (entry) => ({ ...entry, free: await isFree(entry.port) })));
    const busy = states.filter(({ free }) => !free).map(({ port, name }) => `${port} (${name})`);
    if (busy.length === 0) return;
    if (Date.now() > until)
      throw new Error(`Busy ports: ${busy.join(", ")}. Free them, or set FERRY_PORT_OFFSET to shift all of Ferry's.`);
  }
}
