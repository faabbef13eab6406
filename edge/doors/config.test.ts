import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "@ferry/platform/config";
import { readEdgeConfig } from "../config.ts";

const KEYS = { FERRY_SERVICE_KEY_FILE: "edge.pem", FERRY_SERVICE_TRUST_FILE: "services.json" };

test("doors are shut unless named, and a name that is none is said", () => {
  assert.deepEqual(readEdgeConfig(KEYS).doors, []);
  assert.deepEqual(readEdgeConfig({ ...KEYS, FERRY_EDGE_DOORS: "grpc-web, connect" }).doors, ["grpc-web", "connect"]);
  assert.throws(
    () => readEdgeConfig({ ...KEYS, FERRY_EDGE_DOORS: "connect,grpc" }),
    (error) => error instanceof ConfigError && error.problems.some((text) => /FERRY_EDGE_DOORS.*grpc-web/s.test(text)),
  );
});
