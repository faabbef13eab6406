import type { DescEnum, DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { ResponseStatus } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { findFieldPath } from "./transcoding/index.ts";

export interface AnswerStatus {
  status: 200 | 201 | 202;
  replayed: boolean;
}

/** Tells the HTTP status of an answer by its own fields. */
export interface StatusPlan {
  statusOf(answer: Message): AnswerStatus;
  /** The field that tells a replay: said by status and header, so left out of the body. */
  replayedField: DescField | undefined;
}

type Fields = Record<string, unknown>;

/**
 * Compiles the option response_status of an rpc. Absent: 200. Without a state: always 201.
 * With one: 202 while the state is pending, else 201; a replay is 200.
 *
 * @throws Error when the option names fields or states that the answer does not have.
 */
export function compileStatus(output: DescMessage, option: ResponseStatus | undefined): StatusPlan {
  if (option === undefined) return { statusOf: () => ({ status: 200, replayed: false }), replayedField: undefined };
  const replayedField = option.replayedField === "" ? undefined : boolField(output, option.replayedField);
  const isPending = pendingTest(output, option);
  return {
    replayedField,
    statusOf(answer) {
      const replayed = replayedField !== undefined && (answer as unknown as Fields)[replayedField.localName] === true;
      if (replayed) return { status: 200, replayed };
      return { status: isPending(answer) ? 202 : 201, replayed };
    },
  };
}

function boolField(output: DescMessage, name: string): DescField {
  const field = output.fields.find((candidate) => candidate.name === name);
  if (field?.fieldKind !== "scalar" || field.oneof !== undefined)
    throw new Error(`replayed_field ${JSON.stringify(name)} is no bool of ${output.typeName}`);
  return field;
}

function pendingTest(output: DescMessage, { stateField, pendingStates }: ResponseStatus): (answer: Message) => boolean {
  if (stateField === "") return () => false;
  const path = findFieldPath(output, stateField);
  if (path?.field.enum === undefined || path.steps.some((step) => step.oneof !== undefined))
    throw new Error(`state_field ${JSON.stringify(stateField)} is no enum of ${output.typeName}`);
  const pending = new Set(pendingStates.map((name) => numberOf(path.field.enum!, name)));
  const names = path.steps.map((step) => step.localName);
  return (answer) => {
    let value: unknown = answer;
    for (const name of names) value = (value as Fields | undefined)?.[name];
    return pending.has(value as number);
  };
}

function numberOf(desc: DescEnum, name: string): number {
  const value = desc.values.find((candidate) => candidate.name === name);
  if (value === undefined) throw new Error(`pending_states names ${name}, which is no value of ${desc.typeName}`);
  return value.number;
}
