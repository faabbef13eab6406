import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ResponseStatusSchema } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { CreateTransferResponseSchema, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { compileStatus } from "./response-status.ts";

const option = (values: { stateField?: string; pendingStates?: string[]; replayedField?: string }) =>
  create(ResponseStatusSchema, values);
const answerIn = (state: TransferState, replayed = false) =>
  create(CreateTransferResponseSchema, { transfer: { state }, replayed });

test("the status is told by state and replay, as the option says", () => {
  const plan = compileStatus(
    CreateTransferResponseSchema,
    option({ stateField: "transfer.state", pendingStates: ["TRANSFER_STATE_HELD"], replayedField: "replayed" }),
  );
  assert.deepEqual(plan.statusOf(answerIn(TransferState.HELD)), { status: 202, replayed: false });
  assert.deepEqual(plan.statusOf(answerIn(TransferState.FAILED)), { status: 201, replayed: false });
  assert.deepEqual(plan.statusOf(answerIn(TransferState.HELD, true)), { status: 200, replayed: true });
  assert.equal(plan.statusOf(create(CreateTransferResponseSchema)).status, 201);
  assert.equal(
    compileStatus(CreateTransferResponseSchema, undefined).statusOf(answerIn(TransferState.HELD)).status,
    200,
  );
});

test("an option that names what the answer does not have is refused", () => {
  const bad = [
    option({ stateField: "transfer.nothing" }),
    option({ stateField: "transfer.id" }),
    option({ stateField: "transfer.state", pendingStates: ["TRANSFER_STATE_LOST"] }),
    option({ replayedField: "nothing" }),
    option({ replayedField: "transfer" }),
  ];
  for (const values of bad) assert.throws(() => compileStatus(CreateTransferResponseSchema, values), /field|states/);
});
