import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError, loadConfig } from "@ferry/platform/config";
import { demandPrivateHost, demandPrivateUrl, identityVariables, isLoopback, readTls } from "./index.ts";

const KEYS = { FERRY_SERVICE_KEY_FILE: "a.pem", FERRY_SERVICE_TRUST_FILE: "services.json" };
const NO_TLS = { tlsCertFile: "", tlsKeyFile: "", tlsCaFile: "" };
const TLS = { certPem: "c", keyPem: "k", caPem: "a" };

test("production does not start without mutual TLS, and names all that is missing; local mode needs none", async () => {
  assert.throws(
    () => loadConfig(identityVariables, { ...KEYS, FERRY_ENV: "production" }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      const named = error.problems.map((problem) => problem.split(" ")[0]);
      assert.deepEqual(named, ["FERRY_TLS_CERT_FILE", "FERRY_TLS_KEY_FILE", "FERRY_TLS_CA_FILE"]);
      return true;
    },
  );
  assert.equal(await readTls(loadConfig(identityVariables, KEYS)), undefined);
});

test("a part of mutual TLS is refused, and so is a file that cannot be read", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "ferry-tls-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "x.pem");
  await writeFile(file, "pem");
  await assert.rejects(readTls({ ...NO_TLS, tlsCertFile: file, tlsKeyFile: file }), /FERRY_TLS_CA_FILE is missing/);
  await assert.rejects(readTls({ ...NO_TLS, tlsCaFile: file }), /FERRY_TLS_CERT_FILE is missing.*\n.*KEY_FILE/);
  const all = { tlsCertFile: file, tlsKeyFile: file, tlsCaFile: join(folder, "none") };
  await assert.rejects(readTls(all), /FERRY_TLS_CA_FILE is ".*none": cannot be read/);
  assert.deepEqual(await readTls({ ...all, tlsCaFile: file }), { certPem: "pem", keyPem: "pem", caPem: "pem" });
});

test("loopback is this machine in every spelling, and nothing that only looks like it", () => {
  for (const host of [
    "localhost",
    "LOCALHOST",
    "ledger.localhost",
    "127.0.0.1",
    "127.9.8.7",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
  ])
    assert.equal(isLoopback(host), true, host);
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "ledger",
    "127.0.0.1.example",
    "localhost.example",
    "notlocalhost",
    "128.0.0.1",
    "",
  ])
    assert.equal(isLoopback(host), false, host);
});

test("plaintext goes to loopback alone; with TLS it may go anywhere", () => {
  for (const url of ["http://127.0.0.1:9102", "http://[::1]:9102", "localhost:9102", "https://ledger:9102"])
    demandPrivateUrl("ledger", url, undefined);
  for (const url of ["http://ledger:9102", "http://10.1.2.3:9102", "ledger:9102"]) {
    assert.throws(
      () => demandPrivateUrl("ledger", url, undefined),
      /ledger is at .* plaintext: give FERRY_TLS_CERT_FILE/,
    );
    demandPrivateUrl("ledger", url, TLS);
  }
  demandPrivateHost("127.0.0.1", undefined);
  demandPrivateHost("0.0.0.0", TLS);
  assert.throws(() => demandPrivateHost("0.0.0.0", undefined), /FERRY_HOST is 0\.0\.0\.0.*plaintext/);
});
