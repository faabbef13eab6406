import { clone, type DescField, type DescMessage, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { hasCustomJsonRepresentation } from "@bufbuild/protobuf/wkt";
import type { HttpBody } from "@ferry/gen/google/api/httpbody_pb.ts";
import { joinPath } from "./errors.ts";
import { textProblem } from "./field-path.ts";
import type { PathTemplate, Variable } from "./path-template.ts";
import type { PathField } from "./path-variables.ts";
import type { BodyForm } from "./request-body.ts";

/** A request as a client sends it. */
export interface RenderedRequest {
  /** Percent-encoded, "/v1/transfers/7:cancel". */
  path: string;
  /** Without the question mark; empty when there is none. */
  query: string;
  body: Uint8Array | undefined;
  /** Of the body. */
  contentType: string | undefined;
}

export interface RenderPlan {
  input: DescMessage;
  template: PathTemplate;
  pathFields: readonly PathField[];
  /** The field that is the body; "all": all that the path does not give; undefined: none. */
  inBody: DescField | "all" | undefined;
  form: BodyForm;
  registry: Registry | undefined;
}

/** Makes the writer of requests of one route, the counterpart of its reader. */
export function requestRenderer(plan: RenderPlan): (message: Message) => RenderedRequest {
  const { input, template, pathFields, inBody } = plan;
  const taken = new Set(pathFields.map(({ path }) => path.jsonPath));
  return (message) => {
    const whole = reflect(input, message);
    const values = new Map(pathFields.map(({ variable, path }) => [variable, pathText(whole, path.steps)]));
    const parameters: string[] = [];
    if (inBody !== "all") addParameters(parameters, whole, "", (field, path) => field === inBody || taken.has(path));
    return { path: renderPath(template, values), query: parameters.join("&"), ...renderBody(plan, message) };
  };
}

/**
 * Writes a path by the rules of google.api.http: in a variable of one segment all but `-_.~0-9a-zA-Z` is
 * percent-encoded, in one of several all but these and the slash. A "*" that is no variable becomes "-".
 *
 * @throws Error when a value does not fit its part of the template.
 */
export function renderPath(template: PathTemplate, values: ReadonlyMap<Variable, string>): string {
  const parts: string[] = [];
  for (let at = 0; at < template.segments.length; ) {
    const variable = template.variables.find(({ from }) => from === at);
    if (variable === undefined) {
      const segment = template.segments[at++]!;
      if (segment.kind !== "rest") parts.push(segment.kind === "literal" ? encode(segment.text) : "-");
      continue;
    }
    const texts = partsOf(template, variable, values.get(variable) ?? "");
    parts.push(...texts.map(encode));
    at = variable.to ?? template.segments.length;
  }
  return `/${parts.join("/")}${template.verb === "" ? "" : `:${encode(template.verb)}`}`;
}

function partsOf(
  { segments, source }: PathTemplate,
  { from, to, multiple, fieldPath }: Variable,
  value: string,
): string[] {
  const own = segments.slice(from, to);
  const hasRest = own.at(-1)?.kind === "rest";
  const parts = multiple ? (value === "" && hasRest && own.length === 1 ? [] : value.split("/")) : [value];
  const fixed = hasRest ? own.slice(0, -1) : own;
  const fits =
    (hasRest ? parts.length >= fixed.length : parts.length === fixed.length) &&
    fixed.every((segment, at) => (segment.kind === "literal" ? segment.text === parts[at] : parts[at] !== ""));
  if (!fits) throw new Error(`${fieldPath} is ${JSON.stringify(value)}, which ${JSON.stringify(source)} cannot say`);
  return parts;
}

/** What RFC 3986 calls unreserved stays; encodeURIComponent leaves five more. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function pathText(whole: ReflectMessage, steps: readonly DescField[]): string {
  let owner = whole;
  for (const step of steps.slice(0, -1)) owner = owner.get(step) as ReflectMessage;
  const field = steps.at(-1)!;
  return owner.isSet(field) || field.message === undefined ? textOf(field, owner.get(field)) : "";
}

type Skips = (field: DescField, jsonPath: string) => boolean;

function addParameters(parameters: string[], message: ReflectMessage, path: string, skips: Skips): void {
  for (const field of message.desc.fields) {
    const name = joinPath(path, field.jsonName);
    if (!message.isSet(field) || skips(field, name)) continue;
    const value = message.get(field);
    const isPlainMessage = field.fieldKind === "message" && !hasCustomJsonRepresentation(field.message);
    if (isPlainMessage) {
      addParameters(parameters, value as ReflectMessage, name, skips);
      continue;
    }
    const problem = textProblem(field);
    if (problem !== undefined) throw new Error(`${name} ${problem}, which a query cannot say`);
    const values = field.fieldKind === "list" ? [...(value as Iterable<unknown>)] : [value];
    for (const one of values) parameters.push(`${encode(name)}=${encode(textOf(field, one))}`);
  }
}

/** One value as a text; of a list one of its items. */
function textOf(field: DescField, value: unknown): string {
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? String(value);
  if (field.message !== undefined) return String(toJson(field.message, (value as ReflectMessage).message));
  return value instanceof Uint8Array ? base64Encode(value) : String(value);
}

function renderBody(plan: RenderPlan, message: Message): Pick<RenderedRequest, "body" | "contentType"> {
  const { input, inBody, form, pathFields, registry } = plan;
  if (inBody === undefined) return { body: undefined, contentType: undefined };
  if (form === "any") {
    const whole = inBody === "all" ? message : (reflect(input, message).get(inBody) as ReflectMessage).message;
    const { data, contentType } = whole as HttpBody;
    const isThere = inBody === "all" || reflect(input, message).isSet(inBody);
    return isThere ? { body: data, contentType } : { body: undefined, contentType: undefined };
  }
  const copy = clone(input, message);
  for (const { path } of pathFields) {
    let owner = reflect(input, copy);
    for (const step of path.steps.slice(0, -1)) owner = owner.get(step) as ReflectMessage;
    owner.clear(path.field);
  }
  const json = toJson(input, copy, registry === undefined ? {} : { registry });
  const value = inBody === "all" ? json : (json as Record<string, unknown>)[inBody.jsonName];
  if (value === undefined) return { body: undefined, contentType: undefined };
  return { body: new TextEncoder().encode(JSON.stringify(value)), contentType: "application/json" };
}
