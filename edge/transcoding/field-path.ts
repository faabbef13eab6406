import { create, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { hasCustomJsonRepresentation, isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { BadField, joinPath } from "./errors.ts";
import { MAX_DEPTH } from "./json-text.ts";
import { type FieldPlan, NO_CONTEXT, planOf, type ReadValue, setField } from "./read-message.ts";
import { nodeOfText } from "./scalars.ts";

/** A field somewhere inside a message, as a text of the path or the query names it. */
export interface FieldPath {
  /** From the outermost message to the field itself. */
  steps: readonly DescField[];
  /** By JSON names, "amount.minorUnits". */
  jsonPath: string;
  field: DescField;
  read: ReadValue;
}

/**
 * Follows a dotted path, by proto names or JSON names, through the singular messages of a type.
 * @returns undefined when there is no such field, when a step on the way is no singular message, and for paths of
 *   more steps than a body may be deep.
 */
export function findFieldPath(desc: DescMessage, path: string): FieldPath | undefined {
  const steps: DescField[] = [];
  let jsonPath = "";
  let message: DescMessage | undefined = desc;
  const names = path.split(".");
  if (names.length > MAX_DEPTH) return undefined;
  for (const name of names) {
    const plan: FieldPlan | undefined = message === undefined ? undefined : planOf(message).fields.get(name);
    if (plan === undefined) return undefined;
    steps.push(plan.field);
    jsonPath = joinPath(jsonPath, plan.field.jsonName);
    const inner: DescMessage | undefined = plan.field.fieldKind === "message" ? plan.field.message : undefined;
    message = inner === undefined || hasCustomJsonRepresentation(inner) ? undefined : inner;
  }
  const field = steps.at(-1)!;
  return { steps, jsonPath, field, read: planOf(field.parent).fields.get(field.name)!.read };
}

/** Why a text cannot say this field's value; undefined when it can. */
export function textProblem({ fieldKind, message }: DescField): string | undefined {
  if (fieldKind === "map") return "is a map";
  if (message === undefined) return undefined;
  return ["Struct", "Value", "ListValue", "Any"].some((name) => message.typeName === `google.protobuf.${name}`) ||
    !hasCustomJsonRepresentation(message)
    ? "is a message"
    : undefined;
}

/**
 * Sets a field from texts: one for a singular field, one or more for a list.
 * @throws BadField when a text does not fit the field.
 */
export function setFromTexts(message: Message, path: FieldPath, texts: readonly string[]): void {
  const { steps, jsonPath, field, read } = path;
  let owner = message;
  for (const step of steps.slice(0, -1)) owner = innerMessage(owner, step, jsonPath);
  const valueField = textField(field);
  const nodes = texts.map((text) => nodeOfText(valueField, text, jsonPath));
  if (field.fieldKind === "list") {
    setField(owner, field, read(nodes, jsonPath, NO_CONTEXT), jsonPath);
    return;
  }
  if (nodes.length > 1) throw new BadField(jsonPath, "is given twice");
  setField(owner, field, read(nodes[0]!, jsonPath, NO_CONTEXT), jsonPath);
}

/** What decides on the form of a text: of a wrapper the value inside of it. */
function textField(field: DescField): Pick<DescField, "scalar" | "enum"> {
  return field.message !== undefined && isWrapperDesc(field.message) ? field.message.fields[0] : field;
}

/** The message of a singular field, made when it is not there yet. */
function innerMessage(owner: Message, field: DescField, path: string): Message {
  const target = owner as unknown as Record<string, unknown>;
  const present = field.oneof
    ? (target[field.oneof.localName] as { case?: string; value?: unknown })
    : { case: field.localName, value: target[field.localName] };
  if (present.case === field.localName && present.value !== undefined) return present.value as Message;
  const inner = create(field.message!);
  setField(owner, field, inner, path);
  return inner;
}
