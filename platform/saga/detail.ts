import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type SagaDetail,
  SagaDetailSchema,
  type SagaStep,
  SagaStepSchema,
  type SagaWait,
  SagaWaitSchema,
} from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { pivotIndexOf } from "./define.ts";
import type { SagaDefinition } from "./definition.ts";
import { writeJson } from "./json.ts";
import { laneOf } from "./lanes.ts";
import type { SagaInsight } from "./operators.ts";
import type { Lane, Saga, StepRecord } from "./saga.ts";

function timeOf(timeMs: number | undefined): Timestamp | undefined {
  return timeMs === undefined ? undefined : timestampFromMs(timeMs);
}

function phaseOf(definition: SagaDefinition<unknown> | undefined, index: number): string {
  if (definition === undefined) return "";
  const pivot = pivotIndexOf(definition);
  if (index === pivot) return "pivot";
  return index < pivot ? "before-pivot" : "after-pivot";
}

/** What the saga waits for, at each step at hand. */
function waitsOf(saga: Saga): SagaWait[] {
  return (saga.lanes ?? [laneOf(saga)]).flatMap((lane) => waitOf(saga, lane) ?? []);
}

function waitOf({ steps }: Saga, { step, attempts, waiting }: Lane): SagaWait | undefined {
  if (waiting.for === "nothing") return undefined;
  return create(SagaWaitSchema, {
    ...{ step: steps[step]?.name ?? "", for: waiting.for, role: waiting.role, attempts },
    ...(waiting.for === "operator"
      ? { reason: waiting.reason, sinceTime: timeOf(waiting.sinceMs) }
      : { dueTime: timeOf(waiting.dueAtMs) }),
  });
}

/** One saga as the contract shows it to an operator. */
export function toSagaDetail({ saga, definition, children, audit, actions }: SagaInsight): SagaDetail {
  const { id, version, revision, status, failure, state, parent, createdAtMs } = saga;
  const childStates = new Map(children.map((child) => [child.id, child.status]));
  const stepOf = ({ name, status: state, attempts, ...record }: StepRecord, index: number): SagaStep =>
    create(SagaStepSchema, {
      ...{ name, state, attempts },
      startTime: timeOf(record.startedAtMs),
      endTime: timeOf(record.endedAtMs),
      phase: phaseOf(definition, index),
      hasUndo: definition?.steps[index]?.undo !== undefined,
      childId: record.childId ?? "",
      childState: childStates.get(record.childId ?? "") ?? "",
    });
  return create(SagaDetailSchema, {
    ...{ id, version, revision, state: status, actions: [...actions] },
    ...(failure === undefined ? {} : { failure }),
    definition: saga.definition,
    versionKnown: definition !== undefined,
    steps: saga.steps.map(stepOf),
    waits: waitsOf(saga),
    data: writeJson(state),
    parentId: parent?.id ?? "",
    parentStep: parent?.step ?? "",
    audit: audit.map(({ atMs, ...entry }) => ({ ...entry, time: timestampFromMs(atMs) })),
    createTime: timestampFromMs(createdAtMs),
  });
}
