import { whenAskedToStop } from "../stopping.ts";
import { readConfig } from "./config.ts";
import { startBroker } from "./server.ts";

/** One JSON object a line: on standard output that the broker is ready, on standard error what happens to it. */
function log(event: string, fields: Record<string, unknown>): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), name: "broker", event, ...fields })}\n`);
}

try {
  const broker = await startBroker({ ...readConfig(), log });
  const stop = (signal: string) => {
    log("stopping", { signal });
    broker.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log("stop failed", { error: String(error) });
        process.exit(1);
      },
    );
  };
  whenAskedToStop(stop);
  process.stdout.write(`${JSON.stringify({ ready: true, port: broker.port })}\n`);
} catch (error) {
  log("start failed", { error: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
