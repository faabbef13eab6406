import { whenAskedToStop } from "../stopping.ts";
import { readConfig } from "./config.ts";
import { startBank } from "./server.ts";

const bank = await startBank(readConfig());
bank.failed.catch((error: Error) => {
  process.stderr.write(`the bank's books cannot be written: ${error.message}\n`);
  process.exit(1);
});
whenAskedToStop(() => void bank.stop().then(() => process.exit(0)));
process.stdout.write(`${JSON.stringify({ ready: true, port: bank.port, controlPort: bank.controlPort })}\n`);
