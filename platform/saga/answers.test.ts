import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { FailureSchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { plainAnswer } from "./answers.ts";

const failure = (code: string) => create(FailureSchema, { code, message: "why" });

test("a reply without failure is done, a retryable one may be asked again, any other is final", () => {
  assert.deepEqual(plainAnswer(undefined), { kind: "done" });
  assert.equal(plainAnswer(failure("BANK_UNAVAILABLE")).kind, "unavailable");
  assert.equal(plainAnswer(failure("EXPIRED")).kind, "unavailable");
  assert.deepEqual(plainAnswer(failure("INSUFFICIENT_BALANCE")), {
    kind: "refused",
    failure: { code: "INSUFFICIENT_BALANCE", message: "why" },
  });
});

test("a code of a newer version is final, and its text is kept", () => {
  assert.deepEqual(plainAnswer(failure("BRAND_NEW")), {
    kind: "refused",
    failure: { code: "INTERNAL", message: "BRAND_NEW: why" },
  });
});
