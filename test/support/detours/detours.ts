import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Patch } from "../patches.ts";

/** Other ways between the processes of a platform, put in from outside: production code knows nothing of it. */
export interface Detours {
  /** Where a caller finds a service, as { edge: { ledger: "http://127.0.0.1:1234" } }; all else is where the launcher says. */
  routes?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The addresses of every name that ends as REPLICATED does. */
  replicas?: readonly string[];
  /** Instead of a look at each connection every 30 s, with 10 s for the answer; in milliseconds. */
  keepalive?: { everyMs: number; timeoutMs: number };
}

/** Names of services of which there is more than one: "ledger.replicas.localhost". */
export const REPLICATED = ".replicas.localhost";

export const keepalivePatch = ({ everyMs, timeoutMs }: NonNullable<Detours["keepalive"]>): Patch => ({
  module: "platform/rpc/client/peer.ts",
  find: "{ everyMs: 30_000, timeoutMs: 10_000 }",
  replace: `{ everyMs: ${everyMs}, timeoutMs: ${timeoutMs} }`,
});

/** Variables for the processes that are to take them. */
export function detoursEnvironment(detours: Detours): { NODE_OPTIONS: string; FERRY_DETOURS: string } {
  const hook = pathToFileURL(join(import.meta.dirname, "hook.ts")).href;
  return { NODE_OPTIONS: `--import=${hook}`, FERRY_DETOURS: JSON.stringify(detours) };
}
