import { createServer } from "node:net";
import type { ProcessPlan } from "./plan.ts";

/** Whether a port on loopback can be listened on. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Names every port of the plans that something else listens on, as "9102 (ledger)". */
export async function findBusyPorts(plans: readonly ProcessPlan[]): Promise<string[]> {
  const wanted = plans.flatMap((plan) => plan.ports.map((port) => ({ port, name: plan.name })));
  const states = await Promise.all(wanted.map(async (entry) => ({ ...entry, free: await isFree(entry.port) })));
  return states.filter(({ free }) => !free).map(({ port, name }) => `${port} (${name})`);
}
