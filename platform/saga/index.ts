export { failureOf, plainAnswer, releasedForGood } from "./answers.ts";
export { type ChildOptions, child } from "./child.ts";
export type { SagaInput } from "./decide.ts";
export { advance } from "./decide.ts";
export {
  defineSaga,
  exchange,
  type PivotOptions,
  parallel,
  pivot,
  type SideBySide,
  type StepOptions,
  step,
} from "./define.ts";
export type {
  Answer,
  Backoff,
  ChildEnd,
  ChildSaga,
  Exchange,
  SagaDefinition,
  SagaFailure,
  SagaSubject,
  Step,
  TypedExchange,
  WhenUnknown,
} from "./definition.ts";
export {
  type CancelOutcome,
  createSagaEngine,
  type SagaEngine,
  type SagaEngineOptions,
} from "./engine.ts";
export type { ChildOrder, Circumstances, Decision, SagaCommand } from "./moves.ts";
export type { BeginSaga } from "./newborn.ts";
export type { OperatorAction, OperatorDecision, SagaInsight, SagaOperators } from "./operators.ts";
export type { SagaChange } from "./progress.ts";
export {
  dueAtMsOf,
  hasEnded,
  type Role,
  type Saga,
  type SagaStatus,
  type StepRecord,
  type StepStatus,
  type Waiting,
} from "./saga.ts";
export { type ParkedCursor, sagaMigrations } from "./store.ts";
export { createWaiters, type Waiters, type WaitersOptions } from "./waiters.ts";
