// A Kafka that takes nobody but over TLS and with a log-in, spoken to as the services do: by their variables.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadConfig } from "@ferry/platform/config";
import { createKafkaBus } from "@ferry/platform/events";
import { kafkaSecurityVariables, readKafkaSecurity } from "@ferry/platform/lifecycle";
import { silentLogger } from "@ferry/platform/telemetry";
import { caPem, serverCertPem, serverKeyPem } from "../../../platform/rpc/testing/certificates.ts";
import { apacheKafka } from "./brokers.ts";
import type { RunningKafka } from "./kafka.ts";

const LOGIN = { username: "ledger", password: "quite-secret" };
const skip = apacheKafka === undefined ? "no Apache Kafka here (FERRY_TEST_KAFKA=1 with Java and Maven)" : false;
const folder = mkdtempSync(join(tmpdir(), "ferry-kafka-ca-"));
const caFile = join(folder, "ca.pem");
let kafka: RunningKafka | undefined;

before(async () => {
  writeFileSync(caFile, caPem);
  kafka = await apacheKafka?.start({ certPem: serverCertPem, keyPem: serverKeyPem, caPem, ...LOGIN });
});
after(async () => {
  await kafka?.stop();
  rmSync(folder, { recursive: true });
});

const known = {
  KAFKA_TLS: "on",
  KAFKA_CA_FILE: caFile,
  KAFKA_USERNAME: LOGIN.username,
  KAFKA_PASSWORD: LOGIN.password,
};

async function busWith(environment: Record<string, string>) {
  const brokers = [kafka!.brokers];
  const security = await readKafkaSecurity(loadConfig(kafkaSecurityVariables, environment), brokers);
  return createKafkaBus({ brokers, clientId: "secured", logger: silentLogger, ...security });
}

for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"])
  test(`by ${mechanism} messages are sent, and read by a group`, { skip }, async () => {
    const bus = await busWith({ ...known, KAFKA_SASL_MECHANISM: mechanism });
    const topic = `of-${mechanism}`;
    const read = Promise.withResolvers<string>();
    await bus.subscribe({
      ...{ group: `readers-${mechanism}`, topics: [topic] },
      handle: async ([record]) => read.resolve(String(record?.value)),
    });
    await bus.publish([{ topic, key: "k", value: Buffer.from("money"), headers: {} }]);
    assert.equal(await read.promise, "money");
    await bus.close();
  });

const refused: [what: string, environment: Record<string, string>][] = [
  ["another password", { ...known, KAFKA_PASSWORD: "guessed" }],
  ["no log-in", { KAFKA_TLS: "on", KAFKA_CA_FILE: caFile }],
  ["an authority that Node does not know", { ...known, KAFKA_CA_FILE: "" }],
  ["plaintext", { ...known, KAFKA_TLS: "off", KAFKA_CA_FILE: "" }],
];
for (const [what, environment] of refused)
  test(`nothing is sent with ${what}`, { skip }, async () => {
    const bus = await busWith(environment);
    await assert.rejects(bus.publish([{ topic: "of-nobody", key: "k", value: Buffer.from("money"), headers: {} }]));
    await bus.close();
  });
