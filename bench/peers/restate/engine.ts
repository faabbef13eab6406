import { existsSync } from "node:fs";
import { join } from "node:path";
import { answers, type Engine, type EngineContext, findFreePort, startEngine } from "../engine.ts";

/**
 * The server of Restate on one node, its log synced to disk as by default, from the npm package that holds it.
 *
 * @param partitions 24 by its own default. Each has a log of its own to sync: on a small machine fewer are faster.
 */
export async function startRestate({ install, directory }: EngineContext, partitions: number): Promise<Engine> {
  const system = `${process.platform}-${process.arch}`;
  const command = join(install.target, "node_modules", "@restatedev", `restate-server-${system}`, "bin/restate-server");
  if (!existsSync(command)) throw new Error(`There is no restate-server for ${system}`);
  const [node, ingress, admin] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const environment = {
    RESTATE_BASE_DIR: directory,
    RESTATE_NODE_NAME: "peer",
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_ADMIN__DISABLE_WEB_UI: "true",
    RESTATE_DEFAULT_NUM_PARTITIONS: String(partitions),
    RESTATE_DISABLE_TELEMETRY: "true",
    RESTATE_LOG_FILTER: "warn",
  };
  const settings = { adminUrl: `http://127.0.0.1:${admin}`, ingressUrl: `http://127.0.0.1:${ingress}` };
  return startEngine(
    { command, args: ["--no-logo"], cwd: directory, environment },
    {
      settings,
      signal: install.signal,
      isReady: async () =>
        (await answers(`${settings.adminUrl}/health`)) && (await answers(`${settings.ingressUrl}/restate/health`)),
    },
  );
}
