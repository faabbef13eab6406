import type { Scenario } from "./scenario.ts";

/** Every scenario in the order of a whole run. Each is imported when it is picked, so that --help costs nothing. */
export const SCENARIOS: Record<string, () => Promise<Scenario>> = {
  "bank-transfers": async () => (await import("./scenarios/bank-transfers.ts")).scenario,
  "internal-transfers": async () => (await import("./scenarios/internal-transfers.ts")).scenario,
  "hot-accounts": async () => (await import("./scenarios/hot-accounts.ts")).scenario,
  "read-mix": async () => (await import("./scenarios/read-mix.ts")).scenario,
  history: async () => (await import("./scenarios/history.ts")).scenario,
  overload: async () => (await import("./scenarios/overload.ts")).scenario,
  steady: async () => (await import("./scenarios/steady.ts")).scenario,
  idle: async () => (await import("./scenarios/idle.ts")).scenario,
  "edge-route": async () => (await import("./parts/scenarios/edge-route.ts")).scenario,
  "edge-peers": async () => (await import("./parts/scenarios/edge-peers.ts")).scenario,
  "grpc-hop": async () => (await import("./parts/scenarios/grpc-hop.ts")).scenario,
  bus: async () => (await import("./parts/scenarios/bus.ts")).scenario,
  ledger: async () => (await import("./parts/scenarios/ledger.ts")).scenario,
  "ledger-shards": async () => (await import("./parts/scenarios/ledger-shards.ts")).scenario,
};
