import { currentContext } from "@ferry/platform/telemetry";
import type { SagaDefinition } from "./definition.ts";
import type { Saga } from "./saga.ts";

export interface BeginSaga {
  /** UUID, new: the caller has made sure. */
  id: string;
  /** Name of the definition. */
  definition: string;
  /** What the saga knows from the beginning: JSON's kinds of values and bigint. */
  state: unknown;
  /** Default: that of the work at hand. */
  traceparent?: string | undefined;
  /** Unix time in milliseconds. Default: now. */
  createdAtMs?: number;
}

/** A saga before its first step. */
export function newSaga(
  { name, version, steps }: SagaDefinition<unknown>,
  { id, state, createdAtMs, ...given }: Omit<BeginSaga, "definition">,
  nowMs: number,
): Saga {
  const { traceparent = currentContext().traceparent } = given;
  return {
    ...{ id, definition: name, version, revision: 1, state, step: 0, attempts: 0, tries: 0 },
    status: "running",
    tryingSinceMs: nowMs,
    waiting: { for: "pause", role: "ask", dueAtMs: nowMs },
    steps: steps.map((step) => ({ name: step.name, status: "pending", attempts: 0 })),
    createdAtMs: createdAtMs ?? nowMs,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
