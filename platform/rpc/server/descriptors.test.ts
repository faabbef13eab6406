import assert from "node:assert/strict";
import { test } from "node:test";
import { file_grpc_health_v1_health } from "@ferry/gen/grpc/health/v1/health_pb.ts";
import { indexDescriptors } from "./descriptors.ts";

const SYMBOL = "grpc.health.v1.Health";

test("a symbol is found with what it is a member of, and one that is longer than any name is not looked for", () => {
  const index = indexDescriptors([file_grpc_health_v1_health]);
  for (const symbol of [SYMBOL, `${SYMBOL}.Check`, `${SYMBOL}${".a".repeat(400)}`])
    assert.equal(index.findSymbol(symbol), file_grpc_health_v1_health, symbol);
  for (const symbol of ["", "nowhere", `${SYMBOL}${".a".repeat(1_000)}`, ".".repeat(4_000_000)])
    assert.equal(index.findSymbol(symbol), undefined);
});
