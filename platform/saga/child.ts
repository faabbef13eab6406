import { type SagaEnded, SagaEndedSchema, SagaOutcome } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { create } from "@ferry/platform/codec";
import { nameUuid } from "@ferry/platform/db";
import { failureOf } from "./answers.ts";
import { exchange, type StepOptions, step } from "./define.ts";
import type { Answer, ChildEnd, SagaDefinition, SagaSubject, Step } from "./definition.ts";
import { reviveJson, writeJson } from "./json.ts";
import type { Saga } from "./saga.ts";

/** Looking costs one read, so a child whose end was not heard of is looked at rather rarely. */
const DEFAULT_LOOK_MS = 10_000;

/** What a step that begins another saga says beside its name. */
export interface ChildOptions<State, Child> extends Pick<StepOptions<State>, "undo" | "when"> {
  /** The other saga's table; it begins with exactly this version. It need not be given to the engine as well. */
  saga: SagaDefinition<Child>;
  /** What the other saga knows from the beginning: JSON's kinds of values and bigint. */
  begin(subject: SagaSubject<State>): Child;
  /**
   * What the other saga's end means. "unavailable" begins another one, as often as `retries` says.
   * Default: completed is done, undone is refused with its failure.
   */
  answer?(end: ChildEnd<Child>, subject: SagaSubject<State>): Answer<State>;
  /** How long to wait before the other saga is looked at, in milliseconds; it may take longer. Default 10,000. */
  timeoutMs?: number;
  /** Default 0. After the pivot "until-done". */
  retries?: number | "until-done";
}

function plainEnd({ outcome, failure, id }: ChildEnd<unknown>): Answer<never> {
  if (outcome === "completed") return { kind: "done" };
  return { kind: "refused", failure: failure ?? { code: "INTERNAL", message: `saga ${id} was undone` } };
}

function endOf<Child>({ sagaId: id, outcome, failure, data }: SagaEnded): ChildEnd<Child> {
  const state = reviveJson(JSON.parse(data)) as Child;
  return {
    ...{ id, state, outcome: outcome === SagaOutcome.COMPLETED ? "completed" : "undone" },
    ...(failure === undefined ? {} : { failure: failureOf(failure) }),
  };
}

/**
 * A step that begins another saga of the same engine and waits for its end, however long that takes:
 * a child that is parked keeps its parent waiting. When the parent turns back, a child under way is
 * canceled as far as its pivot allows and its end is waited for; one that was completed is taken back by
 * `undo`, and stays as it is without.
 */
export function child<State, Child>(name: string, options: ChildOptions<State, Child>): Step<State> {
  const { saga, begin, answer = plainEnd, ...rest } = options;
  const ask = exchange({
    ...{ request: SagaEndedSchema, reply: SagaEndedSchema },
    ask: (): never => {
      throw new Error(`step ${name} begins a saga and sends no command`);
    },
    answer: (ended, subject: SagaSubject<State>) => answer(endOf<Child>(ended), subject),
  });
  return {
    ...step(name, { timeoutMs: DEFAULT_LOOK_MS, retries: 0, ...rest, ask }),
    child: { definition: saga as SagaDefinition<unknown>, begin },
  };
}

/** The id of the saga that a step begins at an attempt: a second beginning of the same one is noticed. */
export function childIdOf(saga: Saga, step: string, attempt: number): string {
  return nameUuid(saga.id, `${step}:${attempt}`);
}

/** What a child that has ended tells its parent. */
export function endedMessage({ id, status, failure, state, parent }: Saga): SagaEnded {
  return create(SagaEndedSchema, {
    parentId: parent?.id ?? "",
    sagaId: id,
    outcome: status === "completed" ? SagaOutcome.COMPLETED : SagaOutcome.UNDONE,
    failure,
    data: writeJson(state),
  });
}
