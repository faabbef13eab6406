import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { BadField } from "./errors.ts";
import { type FieldPath, findFieldPath, setFromTexts, textProblem } from "./field-path.ts";
import type { PathTemplate, Variable } from "./path-template.ts";
import { decode, decodeSegments } from "./route-trie.ts";

/** A field that the path gives. */
export interface PathField {
  variable: Variable;
  path: FieldPath;
}

/**
 * Finds the fields of a template's variables.
 * @throws Error that says which variable no path could ever give.
 */
export function compilePathFields(input: DescMessage, template: PathTemplate): PathField[] {
  const fields = template.variables.map((variable) => ({ variable, path: pathOf(input, variable) }));
  const message = create(input);
  const seen = new Set<string>();
  for (const { variable, path } of fields) {
    const what = `the path's {${variable.fieldPath}}`;
    if (seen.has(path.jsonPath)) throw new Error(`path ${JSON.stringify(template.source)} names a field twice`);
    seen.add(path.jsonPath);
    if (variable.multiple && !isText(path.field)) throw new Error(`${what} takes several segments, but is no string`);
    const fixed = fixedText(template, variable);
    try {
      // Some text that fits: what fails then is the text of the template itself, or a oneof that two variables set.
      setFromTexts(message, path, [fixed ?? sampleText(path.field)]);
    } catch (error) {
      throw new Error(`${what} cannot be set: ${error instanceof BadField ? error.message : String(error)}`);
    }
  }
  return fields;
}

/** Puts the values of a path into a message. @throws BadField when one does not fit its field. */
export function readPath(message: Message, fields: readonly PathField[], segments: readonly string[]): void {
  for (const { variable, path } of fields) setFromTexts(message, path, [textOf(variable, segments)]);
}

function pathOf(input: DescMessage, { fieldPath }: Variable): FieldPath {
  const path = findFieldPath(input, fieldPath);
  if (path === undefined) throw new Error(`the path's {${fieldPath}} is no field of ${input.typeName}`);
  const problem = path.field.fieldKind === "list" ? "is a list" : textProblem(path.field);
  if (problem !== undefined) throw new Error(`the path's {${fieldPath}} ${problem}, which a path cannot say`);
  return path;
}

function textOf({ from, to, multiple }: Variable, segments: readonly string[]): string {
  if (!multiple) return decode(segments[from]!);
  return decodeSegments(segments.slice(from, to));
}

function isText({ scalar, message }: DescField): boolean {
  return scalar === ScalarType.STRING || message?.typeName === "google.protobuf.StringValue";
}

/** The value of a variable that only texts make up, as {kind=books}. */
function fixedText({ segments }: PathTemplate, { from, to }: Variable): string | undefined {
  const own = segments.slice(from, to);
  return own.every(({ kind }) => kind === "literal") && own.length > 0
    ? own.map((segment) => (segment.kind === "literal" ? segment.text : "")).join("/")
    : undefined;
}

/** A text that a field takes, by what it is. */
function sampleText({ scalar, enum: values, message }: DescField): string {
  if (values !== undefined) return values.values[0]!.name;
  const inner = message?.typeName.endsWith("Value") ? message.fields[0]!.scalar : scalar;
  if (inner === ScalarType.BOOL) return "true";
  if (inner !== undefined) return inner === ScalarType.STRING || inner === ScalarType.BYTES ? "" : "0";
  if (message?.typeName === "google.protobuf.Timestamp") return "1970-01-01T00:00:00Z";
  return message?.typeName === "google.protobuf.Duration" ? "0s" : "";
}
