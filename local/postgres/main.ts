import { whenAskedToStop } from "../stopping.ts";
import { readConfig } from "./config.ts";
import { startPostgres } from "./server.ts";

/** One database for each service that stores something, named as the services expect it. */
const DATABASES = ["ferry_member", "ferry_ledger", "ferry_banking", "ferry_transfer", "ferry_payment", "ferry_notify"];

const { port, directory } = readConfig();
const postgres = await startPostgres({
  directory,
  port,
  durable: true,
  databases: DATABASES,
  log: (line) => process.stderr.write(`${line}\n`),
});

let stopping = false;
whenAskedToStop(() => {
  stopping = true;
  void postgres.stop();
});
process.stdout.write(`${JSON.stringify({ ready: true, port: postgres.port, postgresPid: postgres.pid })}\n`);

await postgres.exited;
process.exit(stopping ? 0 : 1);
