import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { SettleHoldRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { encode } from "./index.ts";

const PROGRAM = `
  import assert from "node:assert/strict";
  import { create, fromBinary } from "@bufbuild/protobuf";
  import { SettleHoldRequestSchema as schema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
  import { findCompiled } from "./compile.ts";
  import { decode, encode } from "./index.ts";
  assert.equal(findCompiled(schema), undefined);
  const bytes = encode(schema, create(schema, { transferId: "t-1" }));
  assert.deepEqual(decode(schema, bytes), fromBinary(schema, bytes));
  process.stdout.write(Buffer.from(bytes).toString("hex"));
`;

test("a process that may not make code from text encodes by protobuf-es", () => {
  const flags = ["--disallow-code-generation-from-strings", "--input-type=module-typescript", "--eval", PROGRAM];
  const { status, stdout, stderr } = spawnSync(process.execPath, flags, { cwd: import.meta.dirname, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const message = create(SettleHoldRequestSchema, { transferId: "t-1" });
  assert.equal(stdout, Buffer.from(toBinary(SettleHoldRequestSchema, message)).toString("hex"));
  assert.equal(stdout, encode(SettleHoldRequestSchema, message).toString("hex"));
});
