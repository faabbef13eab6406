import type { Message } from "@bufbuild/protobuf";
import { SagaEndedSchema, SagaOutcome } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { create } from "@ferry/platform/codec";
import {
  advance,
  type ChildEnd,
  type Circumstances,
  dueAtMsOf,
  type Saga,
  type SagaDefinition,
  type SagaInput,
} from "../index.ts";
import { reviveJson, writeJson } from "../json.ts";
import { type ChildOrder, park, type SagaCommand } from "../moves.ts";
import { newSaga } from "../newborn.ts";

/** The id of every saga of the test kit. */
export const SAGA_ID = "01890000-0000-7000-8000-000000000001";

export interface StageOptions {
  /** How long one step is tried before the saga is parked. Default 60,000 ms. */
  parkAfterMs?: number;
  random?: number;
  /** Whether it is written as its row would be, and read back, after each happening, so that whatever a row does not keep is lost. Default true. */
  rows?: boolean;
}

/** One saga with a clock of its own, without any I/O: what is decided is carried out by whoever holds the stage. */
export interface Stage<State> {
  readonly saga: Saga<State>;
  nowMs: number;
  /** All that was sent since the beginning. */
  readonly commands: SagaCommand<State>[];
  readonly children: ChildOrder<State>[];
  /** Lets one thing happen. Gives what is sent because of it. */
  take(input: SagaInput): { commands: readonly SagaCommand<State>[]; children: readonly ChildOrder<State>[] };
  /** Time passes until what the saga waits for is due. */
  timeOut(): ReturnType<Stage<State>["take"]>;
  /** It stops, as where its version is not known, and waits for an operator. */
  park(): void;
  /** The end of a saga that a step of this one has begun, as it hears of it. */
  childEnd(step: string, end: Omit<ChildEnd<unknown>, "id">): SagaInput;
}

/** A reply with the step that it is for, as the message on the bus names it. */
export function replyFor(step: string, reply: Message): SagaInput {
  return { kind: "reply", step, reply };
}

/** Puts a saga on a stage; the input "started" begins it. */
export function createStage<State>(
  definition: SagaDefinition<State>,
  state: State,
  { parkAfterMs = 60_000, random = 0, rows = true }: StageOptions = {},
): Stage<State> {
  let saga = newSaga(definition as SagaDefinition<unknown>, { id: SAGA_ID, state }, 0) as Saga<State>;
  const stage: Stage<State> = {
    get saga() {
      return saga;
    },
    nowMs: 0,
    commands: [],
    children: [],
    take(input) {
      const at: Circumstances = { nowMs: stage.nowMs, random, parkAfterMs, backoff: { firstMs: 200, maxMs: 5_000 } };
      const { saga: after, commands, children = [] } = advance(definition, saga, input, at);
      if (after !== saga) saga = rows ? (reviveJson(JSON.parse(writeJson(after))) as Saga<State>) : after;
      stage.commands.push(...commands);
      stage.children.push(...children);
      return { commands, children };
    },
    timeOut() {
      stage.nowMs = Math.max(stage.nowMs, dueAtMsOf(saga) ?? 0);
      return stage.take({ kind: "timed-out" });
    },
    park() {
      saga = park(saga, { code: "SAGA_VERSION_UNKNOWN", message: "the version is not known here" }, stage.nowMs);
    },
    childEnd(step, { outcome, state: known, failure }) {
      const sagaId = saga.steps.find(({ name }) => name === step)?.childId ?? "";
      const end = outcome === "completed" ? SagaOutcome.COMPLETED : SagaOutcome.UNDONE;
      const reply = create(SagaEndedSchema, {
        parentId: saga.id,
        sagaId,
        outcome: end,
        failure,
        data: writeJson(known),
      });
      return { kind: "reply", step, reply };
    },
  };
  return stage;
}
