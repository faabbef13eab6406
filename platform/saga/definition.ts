import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Reason } from "@ferry/platform/errors";
import type { Role } from "./saga.ts";

/** Why a saga did not succeed, as readers see it. */
export interface SagaFailure {
  code: Reason;
  message: string;
}

/** What a reply means to the saga. */
export type Answer<State> =
  /** The step is done; `state`, when given, is what the saga knows from now on. */
  | { kind: "done"; state?: State }
  /** Refused for good, without effect. */
  | { kind: "refused"; failure: SagaFailure }
  /** Not done, surely without effect; the same may succeed later. An expired command (EXPIRED) is one of these. */
  | { kind: "unavailable"; failure: SagaFailure }
  /** It may be done or not. */
  | { kind: "unknown"; failure: SagaFailure }
  /** Only as an answer to `whenUnknown`: it is not there now. The step is asked again under the same reference. */
  | { kind: "not-found"; failure: SagaFailure };

/** What a saga is asked about: its id and what it knows. */
export interface SagaSubject<State> {
  id: string;
  state: State;
}

/** One command and its reply, with their types closed in: see `exchange`. */
export interface Exchange<State> {
  request: DescMessage;
  reply: DescMessage;
  /** Makes the command, a message of type `request`. The same saga always asks the same, so that it can be asked again. */
  ask(saga: SagaSubject<State>): Message;
  /** Says what a reply, a message of type `reply`, means. */
  answer(reply: Message, saga: SagaSubject<State>): Answer<State>;
}

/** An exchange as it is written, fully typed. */
export interface TypedExchange<State, Request extends DescMessage, Reply extends DescMessage> {
  request: Request;
  reply: Reply;
  ask(saga: SagaSubject<State>): MessageInitShape<Request>;
  answer(reply: MessageShape<Reply>, saga: SagaSubject<State>): Answer<State>;
}

/**
 * What to do when nobody knows whether a step is done, as after a time-out.
 *
 * "ask-again": the same command under the same key; its receiver must be idempotent. An exchange: ask what
 * became of it, until that is known. "park": an operator finds out; nothing is sent meanwhile. Whichever
 * it is, a final answer that comes late is taken.
 */
export type WhenUnknown<State> = Exchange<State> | "ask-again" | "park";

/** Pauses between tries, in milliseconds. */
export interface Backoff {
  /** The first pause; it doubles with each further try. */
  firstMs: number;
  /** The longest pause. */
  maxMs: number;
}

/** How a saga that another began has ended. */
export interface ChildEnd<Child> {
  id: string;
  outcome: "completed" | "undone";
  /** What it knew at its end. */
  state: Child;
  /** Why it was undone. Absent when it is completed. */
  failure?: SagaFailure;
}

/** The saga that a step begins and waits for, with its type closed in: see `child`. */
export interface ChildSaga<State> {
  /** Its table, in the version that the step names: it begins with this one, whichever is the newest. */
  definition: SagaDefinition<unknown>;
  /** What it knows from the beginning. */
  begin(saga: SagaSubject<State>): unknown;
}

export interface Step<State> {
  /** As "place-hold". */
  name: string;
  /** Before the pivot everything is undone when it fails, after it everything is retried until it is done. */
  kind: "step" | "pivot";
  ask: Exchange<State>;
  /** The step begins this saga instead of sending a command, and `ask` only says what its end means. */
  child?: ChildSaga<State>;
  /** Takes back what the step did. Registered before the step runs, idempotent, retried until it is done. */
  undo?: Exchange<State>;
  /** Only of a pivot: makes sure that it never happens, before an operator's undo. Absent: it cannot be undone. */
  void?: Exchange<State>;
  /** What to do when nobody knows whether it is done. Absent: ask again. */
  whenUnknown?: WhenUnknown<State>;
  /** Steps that follow each other with the same number run side by side. */
  group?: number;
  /** Whether the step is needed at all; decided when its turn comes. Absent: always. */
  when?(state: State): boolean;
  /** How long a reply may take from when the broker has the command, in milliseconds. */
  timeoutMs: number;
  /** How often an unavailable or timed-out step is asked again. "until-done": until it succeeds, or the saga is parked. */
  retries: number | "until-done";
  /** Pauses between its tries, and those of its undo. Absent: those of the engine. */
  backoff?: Backoff;
}

/** The exchange that asks what became of a step. */
export function inquiryOf<State>({ whenUnknown }: Step<State>): Exchange<State> | undefined {
  return typeof whenUnknown === "string" ? undefined : whenUnknown;
}

/** The exchange of a step in a role. */
export function exchangeOf<State>(step: Step<State>, role: Role): Exchange<State> | undefined {
  switch (role) {
    case "ask":
      return step.ask;
    case "undo":
      return step.undo;
    case "inquire":
      return inquiryOf(step);
    case "void":
      return step.void;
    default:
      return role satisfies never;
  }
}

/** A saga as a table of steps. */
export interface SagaDefinition<State> {
  /** As "send-money". */
  name: string;
  /** Rises with each change of the table; a saga ends on the version it began with. */
  version: number;
  steps: readonly Step<State>[];
}
