import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "@ferry/platform/config";
import { readEdgeConfig } from "./config.ts";

const KEYS = { FERRY_SERVICE_KEY_FILE: "edge.pem", FERRY_SERVICE_TRUST_FILE: "services.json" };
const TLS = { FERRY_TLS_CERT_FILE: "c.pem", FERRY_TLS_KEY_FILE: "k.pem", FERRY_TLS_CA_FILE: "ca.pem" };

test("local mode knows where everything is and limits nobody; production limits by default and wants addresses", () => {
  const local = readEdgeConfig({ ...KEYS, FERRY_PORT_OFFSET: "100" });
  assert.deepEqual([local.port, local.ledgerUrl], [8180, "http://127.0.0.1:9202"]);
  assert.deepEqual([local.docs, readEdgeConfig({ ...KEYS, FERRY_EDGE_DOCS: "off" }).docs], ["on", "off"]);
  assert.deepEqual([local.rateRead, local.rateWrite, local.rateLogin, local.corsOrigins], [0, 0, 0, []]);
  const urls = Object.fromEntries(
    ["MEMBER", "LEDGER", "BANKING", "TRANSFER", "PAYMENT", "NOTIFY"].map((name) => [
      `FERRY_${name}_URL`,
      `https://${name}.example`,
    ]),
  );
  const production = readEdgeConfig({ ...KEYS, ...TLS, ...urls, FERRY_ENV: "production", FERRY_RATE_READ: "0" });
  assert.deepEqual([production.rateRead, production.rateWrite, production.rateLogin], [0, 120, 10]);
});

test("every bad variable is named at once", () => {
  const bad = { FERRY_ENV: "production", FERRY_RATE_WRITE: "many", FERRY_CORS_ORIGINS: "https://a.example/path" };
  assert.throws(
    () => readEdgeConfig(bad),
    (error) => {
      assert.ok(error instanceof ConfigError);
      for (const name of ["FERRY_RATE_WRITE", "FERRY_CORS_ORIGINS", "FERRY_LEDGER_URL", "FERRY_SERVICE_KEY_FILE"])
        assert.ok(
          error.problems.some((problem) => problem.startsWith(name)),
          name,
        );
      return true;
    },
  );
});

test("proxies are addresses and networks, and a name or a network of everybody is none", () => {
  const read = (FERRY_TRUSTED_PROXIES: string) => readEdgeConfig({ ...KEYS, FERRY_TRUSTED_PROXIES }).trustedProxies;
  const good = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "loopback"];
  assert.deepEqual(read(good.join(", ")), good);
  const isNamed = (error: unknown) =>
    error instanceof ConfigError && error.problems.some((problem) => problem.startsWith("FERRY_TRUSTED_PROXIES"));
  for (const bad of ["true", "*", "lb.example", "10.0.0.0/33", "0.0.0.0/0", "10.0.0.0/8/8", "::/129", "1"])
    assert.throws(() => read(`192.0.2.1,${bad}`), isNamed, bad);
});
