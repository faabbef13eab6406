import assert from "node:assert/strict";
import type { Message } from "@bufbuild/protobuf";
import { ROLES } from "../define.ts";
import { exchangeOf } from "../definition.ts";
import type { Answer, Role, SagaDefinition, SagaFailure, Step } from "../index.ts";
import { SAGA_ID } from "./stage.ts";

/** One message for each thing that a reply can mean. "never": this exchange is never answered so. */
export interface Replies {
  done: Message;
  refused: Message | "never";
  unavailable: Message | "never";
  unknown?: Message;
  notFound?: Message;
}

/** How a saga that a step has begun was undone. */
export interface ChildUndone {
  state: unknown;
  failure: SagaFailure;
}

/** What the other side of a step may say. */
export interface StepExample {
  ask?: Replies;
  undo?: Replies;
  inquire?: Replies;
  /** Of a pivot: refused is the good answer, done that it is too late. */
  void?: Replies;
  /**
   * Of a step that begins another saga: what that one knows when it ends well, and when it was undone.
   * unavailable: undone so that another one is begun; only where the step's answer says so.
   */
  child?: { completed: unknown; undone: ChildUndone; unavailable?: ChildUndone };
}

/** What a definition is tried with. */
export interface Examples<State> {
  /** What the saga knows from the beginning: one for each way through the table. */
  states: readonly State[];
  /** By the name of the step. */
  steps: Readonly<Record<string, StepExample>>;
}

const KINDS: Record<keyof Replies, Answer<unknown>["kind"]> = {
  done: "done",
  refused: "refused",
  unavailable: "unavailable",
  unknown: "unknown",
  notFound: "not-found",
};

/** The roles of a step that are played by commands and replies. */
export function rolesOf<State>(step: Step<State>): Role[] {
  return ROLES.filter((role) => exchangeOf(step, role) !== undefined && !(role === "ask" && step.child !== undefined));
}

/** @throws AssertionError when a step or a role has no example, or an example means something else than its name says. */
export function checkExamples<State>(definition: SagaDefinition<State>, { states, steps }: Examples<State>): void {
  const [state] = states;
  assert.ok(state !== undefined, "no state to begin with is given");
  for (const step of definition.steps) {
    const example = steps[step.name];
    assert.ok(example !== undefined, `step ${step.name} has no example`);
    if (step.child !== undefined)
      assert.ok(example.child !== undefined, `step ${step.name} has no example of its child`);
    for (const role of rolesOf(step)) {
      const replies: Replies | undefined = example[role];
      assert.ok(replies !== undefined, `step ${step.name} has no example of ${role}`);
      for (const [name, message] of Object.entries(replies) as [keyof Replies, Message | "never"][]) {
        if (message === "never") continue;
        const meant: string | undefined = exchangeOf(step, role)?.answer(message, { id: SAGA_ID, state }).kind;
        assert.equal(meant, KINDS[name], `step ${step.name}: the example of ${role} that is ${name} means ${meant}`);
      }
    }
  }
}
