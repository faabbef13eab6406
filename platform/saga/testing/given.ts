import assert from "node:assert/strict";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@ferry/platform/codec";
import type { ChildEnd, SagaDefinition, SagaInput, SagaStatus, StepStatus } from "../index.ts";
import { createStage, replyFor, type Stage, type StageOptions } from "./stage.ts";

/** What happens to a saga: an input, or what makes one of the saga as it then is. */
export type Happening = SagaInput | ((stage: Stage<never>) => SagaInput | undefined);

/** What is expected after the last happening. What is left out is not looked at. */
export interface Expectation<State> {
  status?: SagaStatus;
  /** What the last `when` sent, as "place-hold:ask" or "top-up:begin", in order. */
  commands?: readonly string[];
  /** The status of each step, by name; those left out are not looked at. */
  steps?: Readonly<Record<string, StepStatus>>;
  /** The code of its failure; null: there is none. */
  failure?: string | null;
  state?: State;
}

export interface Story<State> {
  /** Lets things happen, one after another. */
  when(...happenings: Happening[]): Story<State>;
  /** Compares with what came of it. @throws AssertionError. */
  gives(expected: Expectation<State>): Story<State>;
  /** The stage that it plays on, for whatever else is to be seen. */
  stage: Stage<State>;
}

/** A reply to a step: its message is made of what is given. */
export function reply<Schema extends DescMessage>(
  step: string,
  schema: Schema,
  init: MessageInitShape<Schema> = {} as never,
) {
  return replyFor(step, create(schema, init));
}

/** Nobody answers in time, or a pause is over. */
export const timeOut: Happening = (stage) => {
  stage.timeOut();
  return undefined;
};

/** The saga that a step began has ended. */
export function childEnded(step: string, end: Omit<ChildEnd<unknown>, "id">): Happening {
  return (stage) => stage.childEnd(step, end);
}

/**
 * Tells what a saga does, without any I/O:
 * `given(sendMoney).state(state).when(reply(…), timeOut).gives({ status: "undoing", commands: ["place-hold:undo"] })`.
 * The saga has begun and its first command is sent.
 */
export function given<State>(definition: SagaDefinition<State>, options: StageOptions = {}) {
  return {
    state(state: State): Story<State> {
      const stage = createStage(definition, state, options);
      let [commands, children] = [0, 0];
      const sent = () => [
        ...stage.commands.slice(commands).map(({ step, role }) => `${step}:${role}`),
        ...stage.children.slice(children).map(({ step, kind }) => `${step}:${kind}`),
      ];
      const story: Story<State> = {
        stage,
        when(...happenings) {
          [commands, children] = [stage.commands.length, stage.children.length];
          for (const each of happenings) {
            const input = typeof each === "function" ? each(stage as unknown as Stage<never>) : each;
            if (input !== undefined) stage.take(input);
          }
          return story;
        },
        gives(expected) {
          const { saga } = stage;
          if (expected.commands !== undefined) assert.deepEqual(sent(), expected.commands);
          if (expected.status !== undefined) assert.equal(saga.status, expected.status);
          if (expected.failure !== undefined) assert.equal(saga.failure?.code ?? null, expected.failure);
          if (expected.state !== undefined) assert.deepEqual(saga.state, expected.state);
          for (const [name, status] of Object.entries(expected.steps ?? {}))
            assert.equal(saga.steps.find((step) => step.name === name)?.status, status, `step ${name}`);
          return story;
        },
      };
      stage.take({ kind: "started" });
      return story;
    },
  };
}
