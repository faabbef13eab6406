import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { address, ConfigError, hostList, loadConfig, portVariable, urlVariable } from "./index.ts";

const shape = {
  port: portVariable("FERRY_X_PORT", 9101, "port of x"),
  bank: urlVariable("BANK_URL", 9200, "where the bank is"),
  database: { env: "DATABASE_URL", schema: address("postgres", "postgresql"), help: "the database", secret: true },
  brokers: { env: "KAFKA_BROKERS", schema: hostList, localFallback: "127.0.0.1:9092", help: "brokers" },
  note: { env: "NOTE", schema: z.string(), fallback: "none", help: "a note" },
} as const;

test("absent variables take their fallback, shifted by the port offset, and the result is frozen", () => {
  const config = loadConfig(shape, { DATABASE_URL: "postgres://x/y", FERRY_PORT_OFFSET: "1000", NOTE: "" });
  assert.deepEqual(
    { ...config },
    {
      port: 10101,
      bank: "http://127.0.0.1:10200",
      database: "postgres://x/y",
      brokers: ["127.0.0.1:9092"],
      note: "none",
    },
  );
  assert.ok(Object.isFrozen(config));
});

test("every bad variable is named at once, and a secret is not shown", () => {
  const bad = { FERRY_ENV: "production", FERRY_X_PORT: "http", DATABASE_URL: "mysql://user:hunter2@x" };
  assert.throws(
    () => loadConfig(shape, bad),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.problems.length, 4);
      for (const name of ["FERRY_X_PORT", "BANK_URL", "DATABASE_URL", "KAFKA_BROKERS"])
        assert.match(error.message, new RegExp(name));
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
  assert.throws(() => loadConfig(shape, { FERRY_ENV: "staging" }), /FERRY_ENV/);
});
