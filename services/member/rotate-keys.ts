import { openDatabase } from "@ferry/platform/db";
import { createLogger } from "@ferry/platform/telemetry";
import { readKeyConfig } from "./config.ts";
import { createKeyring } from "./keyring.ts";

// Gives the signing key a successor now, whatever its age. The running replicas hear of it by themselves; what the
// former key signed stays good until it expires.
const { databaseUrl, keySecret, rotateAfterMs } = readKeyConfig();
const logger = createLogger({ service: "rotate-keys" });
const database = openDatabase({ url: databaseUrl, maxConnections: 1, name: "rotate-keys" });
try {
  const keyring = createKeyring({ database, secret: keySecret, rotateAfterMs });
  await keyring.rotate(true);
  logger.info(
    { keys: (await keyring.reload()).map(({ kid }) => kid) },
    "a new key is published and signs in two minutes",
  );
} finally {
  await database.close();
}
