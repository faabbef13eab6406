import { connect } from "node:net";
import { join } from "node:path";
import { type Engine, type EngineContext, findFreePort, startEngine } from "../engine.ts";
import { installWheel } from "../install.ts";

/** Limits of requests a second that are to stay out of the way, so that the machine is what limits. */
const RATE_LIMITS = [
  "frontend.rps",
  "frontend.namespaceRPS",
  "frontend.globalNamespaceRPS",
  "frontend.namespaceCount",
  "frontend.persistenceMaxQPS",
  "history.rps",
  "history.namespaceRPS",
  "history.persistenceMaxQPS",
  "matching.rps",
  "matching.namespaceRPS",
  "matching.persistenceMaxQPS",
];
const NO_LIMIT = 1_000_000;

/** Whether something takes connections on a port of loopback. */
function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

/** The development server of Temporal, in memory or on SQLite in a file that is synced at each commit. */
export async function startTemporal(context: EngineContext, storage: "memory" | "file"): Promise<Engine> {
  const { install, directory } = context;
  const commands = await installWheel({ ...install, target: `${install.target}-server` });
  const [port, http, metrics] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const synced = ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=2"];
  const args = [
    ...["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"],
    ...["--port", `${port}`, "--http-port", `${http}`, "--metrics-port", `${metrics}`],
    ...(storage === "file" ? ["--db-filename", join(directory, "temporal.db"), ...synced] : []),
    ...RATE_LIMITS.flatMap((name) => ["--dynamic-config-value", `${name}=${NO_LIMIT}`]),
  ];
  return startEngine(
    { command: join(commands, "temporal"), args, cwd: directory, environment: { DO_NOT_TRACK: "1" } },
    {
      settings: { address: `127.0.0.1:${port}` },
      signal: install.signal,
      isReady: () => takesConnections(port),
    },
  );
}
