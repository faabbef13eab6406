import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError, loadConfig } from "@ferry/platform/config";
import { kafkaSecurityVariables, readKafkaSecurity } from "./index.ts";

const FAR = ["10.0.0.7:9093", "127.0.0.1:9093"];
const read = (environment: Record<string, string>, brokers: readonly string[] = FAR) =>
  readKafkaSecurity(loadConfig(kafkaSecurityVariables, environment), brokers);
const LOGIN = { KAFKA_USERNAME: "ledger", KAFKA_PASSWORD: "secret" };

test("nothing said: plaintext, and no log-in", async () => {
  assert.deepEqual(await read({}), {});
});

test("TLS by the authorities that Node knows, or by one's own; with a certificate both sides prove themselves", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "ferry-kafka-tls-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = (name: string) => join(folder, name);
  for (const name of ["ca", "cert", "key"]) await writeFile(file(name), `pem of ${name}`);
  assert.deepEqual(await read({ KAFKA_TLS: "on" }), { ssl: {} });
  const own = { KAFKA_TLS: "on", KAFKA_CA_FILE: file("ca") };
  assert.deepEqual(await read(own), { ssl: { ca: "pem of ca" } });
  const mutual = { ...own, KAFKA_CERT_FILE: file("cert"), KAFKA_KEY_FILE: file("key") };
  assert.deepEqual(await read(mutual), { ssl: { ca: "pem of ca", cert: "pem of cert", key: "pem of key" } });
  await assert.rejects(read({ ...own, KAFKA_CA_FILE: file("none") }), /KAFKA_CA_FILE is ".*none": cannot be read/);
});

test("a log-in: SCRAM with SHA-512 unless another is named", async () => {
  const password = { username: "ledger", password: "secret" };
  const tls = { ...LOGIN, KAFKA_TLS: "on" };
  assert.deepEqual(await read(tls), { ssl: {}, sasl: { mechanism: "scram-sha-512", ...password } });
  const plain = await read({ ...tls, KAFKA_SASL_MECHANISM: "plain" });
  assert.deepEqual(plain.sasl, { mechanism: "plain", ...password });
});

test("a password goes in plaintext to loopback alone", async () => {
  assert.notEqual((await read(LOGIN, ["127.0.0.1:9093", "[::1]:9093"])).sasl, undefined);
  await assert.rejects(
    read(LOGIN),
    /KAFKA_TLS is off, and KAFKA_USERNAME would log in at 10\.0\.0\.7:9093 in plaintext/,
  );
});

const half: [environment: Record<string, string>, named: string[]][] = [
  [{ KAFKA_USERNAME: "ledger", KAFKA_TLS: "on" }, ["KAFKA_PASSWORD"]],
  [{ KAFKA_PASSWORD: "secret" }, ["KAFKA_USERNAME"]],
  [{ KAFKA_TLS: "on", KAFKA_CERT_FILE: "cert.pem" }, ["KAFKA_CERT_FILE"]],
  [{ KAFKA_CA_FILE: "ca.pem" }, ["KAFKA_CA_FILE"]],
  [
    { KAFKA_USERNAME: "ledger", KAFKA_KEY_FILE: "key.pem" },
    ["KAFKA_PASSWORD", "KAFKA_CERT_FILE", "KAFKA_KEY_FILE", "KAFKA_TLS"],
  ],
];
for (const [environment, named] of half)
  test(`what does not go together is named: ${Object.keys(environment).join(" and ")}`, async () => {
    await assert.rejects(read(environment), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.split(" ")[0]),
        named,
      );
      return true;
    });
  });

test("a mechanism that is none is refused", () => {
  const wrong = { KAFKA_SASL_MECHANISM: "gssapi" };
  assert.throws(() => loadConfig(kafkaSecurityVariables, wrong), /KAFKA_SASL_MECHANISM is "gssapi"/);
});
