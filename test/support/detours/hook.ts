// Loaded with --import into the processes of a platform whose calls are to take other ways.
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";
import { processOf } from "../entry.ts";
import { applyPatches } from "../patches.ts";
import { type Detours, keepalivePatch, REPLICATED } from "./detours.ts";

function nameReplicas(addresses: readonly string[]): void {
  const { lookup } = dns;
  const both = addresses.map((address) => ({ address, family: 4 }));
  const answer = (name: string, ...rest: []) =>
    name.endsWith(REPLICATED) ? Promise.resolve(both) : lookup(name, ...rest);
  dns.lookup = answer as unknown as typeof lookup;
  syncBuiltinESMExports();
}

function follow({ routes = {}, replicas, keepalive }: Detours): void {
  const name = processOf(process.argv[1] ?? "");
  if (name === undefined) return;
  for (const [service, url] of Object.entries(routes[name] ?? {}))
    process.env[`FERRY_${service.toUpperCase()}_URL`] = url;
  if (replicas !== undefined) nameReplicas(replicas);
  if (keepalive !== undefined) applyPatches([keepalivePatch(keepalive)]);
}

const { FERRY_DETOURS: text } = process.env;
if (isMainThread && text !== undefined) follow(JSON.parse(text) as Detours);
