export type { Examples, Replies, StepExample } from "./examples.ts";
export { childEnded, type Expectation, given, type Happening, reply, type Story, timeOut } from "./given.ts";
export { checkDefinition, type LawReport } from "./laws.ts";
export { createStage, SAGA_ID, type Stage, type StageOptions } from "./stage.ts";
