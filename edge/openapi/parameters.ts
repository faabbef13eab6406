import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { findFieldPath, textProblem } from "../transcoding/field-path.ts";
import type { OfferedRoute } from "../transcoding/index.ts";
import { type Components, requiredTest } from "./components.ts";
import { exampleValue } from "./examples.ts";
import type { JsonObject, Schema } from "./schema.ts";

/** A path as OpenAPI writes it, and what stands in its braces. */
export interface OpenApiPath {
  path: string;
  parameters: JsonObject[];
  /** JSON paths of the fields that the path gives. */
  taken: ReadonlySet<string>;
}

/**
 * Writes a template of google.api.http as OpenAPI can: a variable of one segment is a parameter of its own name, one
 * of several has a parameter for each "*", and "**" is one parameter whose slashes stay slashes.
 */
export function openApiPath({ rpc, template }: OfferedRoute, components: Components): OpenApiPath {
  const { segments, variables, verb } = template;
  const parameters: JsonObject[] = [];
  const add = (name: string, schema: Schema, more: JsonObject = {}): string => {
    parameters.push({ name, in: "path", required: true, ...more, schema });
    return `{${name}}`;
  };
  const texts = segments.map((segment, index) => {
    if (segment.kind === "literal") return encodeURIComponent(segment.text);
    const isRest = segment.kind === "rest";
    const anyText = { type: "string", minLength: isRest ? 0 : 1 };
    const variable = variables.find(({ from, to }) => index >= from && (to === undefined || index < to));
    if (variable === undefined) return add(`segment_${index + 1}`, anyText);
    const { from, to, fieldPath } = variable;
    const open = segments.slice(from, to).filter(({ kind }) => kind !== "literal");
    const { field } = findFieldPath(rpc.input, fieldPath)!;
    if (open.length === 1 && !isRest && to === from + 1) return addField(add, fieldPath, field, components);
    const name = open.length === 1 ? fieldPath : `${fieldPath}_${open.indexOf(segment) + 1}`;
    const description = `Part of ${fieldPath}${isRest ? ": all that is left of the path, slashes as they are" : ""}.`;
    return add(name, anyText, { description });
  });
  const taken = new Set(variables.map(({ fieldPath }) => findFieldPath(rpc.input, fieldPath)!.jsonPath));
  return { path: `/${texts.join("/")}${verb === "" ? "" : `:${verb}`}`, parameters, taken };
}

function addField(
  add: (name: string, schema: Schema, more: JsonObject) => string,
  name: string,
  field: DescField,
  components: Components,
): string {
  const { description, schema } = textSchema(field, components);
  const isOpenText = schema.type === "string" && schema.format === undefined && schema.pattern === undefined;
  const filled = isOpenText && schema.minLength === undefined ? { ...schema, minLength: 1 } : schema;
  return add(name, filled, { description, example: exampleValue(field) });
}

/** The schema of a field as the path or the query gives it, and its comment, which stands at the parameter. */
function textSchema(field: DescField, components: Components): { schema: Schema; description: string | undefined } {
  const { description, ...schema } = components.field(field, "request");
  const told = description === undefined ? undefined : String(description);
  if (field.enum === undefined) return { schema, description: told };
  const numbers = field.enum.values.map(({ number }) => String(number));
  const either = (one: Schema): Schema => ({ anyOf: [one, { type: "string", enum: numbers }] });
  if (field.fieldKind === "list")
    return { schema: { ...schema, items: either(schema.items as Schema) }, description: told };
  return { schema: either(schema), description: told };
}

/**
 * The query's parameters: every field that neither path nor body gives and a text can say, fields of messages by
 * their path ("amount.currency"). Names are the contract's; JSON names are taken as well.
 *
 * @param bodyField The field that is the body; undefined when there is none.
 */
export function queryParameters(
  input: DescMessage,
  taken: ReadonlySet<string>,
  bodyField: string | undefined,
  components: Components,
): JsonObject[] {
  const visit = (
    desc: DescMessage,
    path: string,
    jsonPath: string,
    required: boolean,
    above: readonly DescMessage[],
  ) => {
    const isRequired = requiredTest(desc);
    return desc.fields.flatMap((field): JsonObject[] => {
      const [name, jsonName] = [`${path}${field.name}`, `${jsonPath}${field.jsonName}`];
      if (taken.has(jsonName) || (above.length === 0 && field.name === bodyField)) return [];
      const needed = required && isRequired(field);
      if (textProblem(field) === undefined) {
        const { schema, description } = textSchema(field, components);
        const deprecated = schema.deprecated === true ? true : undefined;
        return [{ name, in: "query", description, required: needed || undefined, deprecated, schema }];
      }
      if (field.fieldKind !== "message" || above.includes(field.message)) return [];
      return visit(field.message, `${name}.`, `${jsonName}.`, needed, [...above, desc]);
    });
  };
  return visit(input, "", "", true, []);
}
