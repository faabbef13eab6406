import type { Build, Logger } from "@ferry/platform/telemetry";
import { startProbes } from "./probes.ts";

/** A part of a process that is started and stopped with it: a pool, a server, a consumer. */
export interface Component {
  name: string;
  /** Resolves when the part is usable. Parts start in order. */
  start?(): Promise<void>;
  /** Resolves when the part has finished what it had begun. Parts stop in reverse order. */
  stop?(): Promise<void>;
  /** Why the part cannot do its work now; undefined when it can. Cheap: it is asked by probes. */
  unready?(): string | undefined;
}

export interface ProcessOptions {
  logger: Logger;
  build: Build;
  /** Port of the probes: /livez, /readyz, /version, /metrics. */
  probePort: number;
  /** Address that the probes listen on. Default 127.0.0.1. */
  host?: string;
  components: readonly Component[];
  /** Time for an ordered stop, in milliseconds; then the process ends anyway. Default 9,000. */
  stopTimeoutMs?: number;
}

/**
 * Runs a process: starts its parts in order, answers probes, and stops the parts in reverse order
 * on SIGTERM or SIGINT. A part whose dependency is away waits in its start: the process is alive but not
 * ready, for as long as it takes. An error that nothing caught ends the process with code 1, since its state
 * is no longer known; whoever watches it starts it again.
 */
export async function runProcess(options: ProcessOptions): Promise<void> {
  const { logger, components, stopTimeoutMs = 9_000 } = options;
  const started: Component[] = [];
  let state: "starting" | "ready" | "stopping" = "starting";

  const unready = (): string[] => {
    if (state !== "ready") return [`process is ${state}`];
    return started.flatMap((part) => {
      const reason = part.unready?.();
      return reason === undefined ? [] : [`${part.name}: ${reason}`];
    });
  };
  const probes = await startProbes({
    port: options.probePort,
    host: options.host ?? "127.0.0.1",
    build: options.build,
    unready,
  });

  async function stop(signal: string): Promise<void> {
    if (state === "stopping") return;
    state = "stopping";
    logger.info({ signal }, "stopping");
    setTimeout(() => {
      logger.error({ stopTimeoutMs }, "stop took too long");
      process.exit(1);
    }, stopTimeoutMs).unref();
    for (const part of started.reverse()) {
      try {
        await part.stop?.();
      } catch (error) {
        logger.error({ error: String(error), part: part.name }, "part did not stop cleanly");
      }
    }
    await probes.close();
    logger.info({}, "stopped");
    process.exit(0);
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
  process.once("disconnect", () => void stop("launcher gone")); // Only with an IPC channel: nothing outlives its launcher.
  process.on("uncaughtException", (error) => fail(logger, error));
  process.on("unhandledRejection", (error) => fail(logger, error));

  try {
    for (const part of components) {
      started.push(part);
      await part.start?.();
      if ((state as string) === "stopping") return;
    }
  } catch (error) {
    if ((state as string) !== "stopping") fail(logger, error);
    // The stop took away what it waited for: what stands before it must still be stopped in order.
    logger.warn({ error: String(error) }, "part was stopped in its start");
    return;
  }
  state = "ready";
  logger.info({ parts: components.map(({ name }) => name) }, "ready");
}

function fail(logger: Logger, error: unknown): never {
  const { stack, message } = error instanceof Error ? error : { stack: undefined, message: String(error) };
  logger.error(
    { error: message, stack, cause: error instanceof Error ? String(error.cause ?? "") : "" },
    "process failed",
  );
  process.exit(1);
}
