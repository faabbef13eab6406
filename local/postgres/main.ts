import { readConfig } from "./config.ts";
import { startPostgres } from "./server.ts";

/** One database for each service that stores something. */
const DATABASES = ["member", "ledger", "banking", "transfer", "payment"];

const { port, directory } = readConfig();
const postgres = await startPostgres({
  directory,
  port,
  durable: true,
  databases: DATABASES,
  log: (line) => process.stderr.write(`${line}\n`),
});

let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    stopping = true;
    void postgres.stop();
  });
}
process.stdout.write(`${JSON.stringify({ ready: true, port: postgres.port, postgresPid: postgres.pid })}\n`);

await postgres.exited;
process.exit(stopping ? 0 : 1);
