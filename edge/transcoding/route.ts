import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { BadField } from "./errors.ts";
import { type FieldPath, findFieldPath, setFromTexts, textProblem } from "./field-path.ts";
import type { Binding } from "./http-rule.ts";
import { parseJson } from "./json-text.ts";
import { type PathTemplate, parsePathTemplate, type Variable } from "./path-template.ts";
import { parseQuery } from "./query.ts";
import { planOf, readMessage, setField, type TakenPaths } from "./read-message.ts";
import { decode, decodeSegments } from "./route-trie.ts";

/** The parts of an HTTP request that become a message. */
export interface RequestParts {
  /** Segments of the path, still percent-encoded, as the match gave them. */
  segments: readonly string[];
  /** Without the question mark; empty when there is none. */
  query: string;
  /** Undefined or empty: no body, which means the same as a body without fields. */
  body: Uint8Array | undefined;
}

/** One rpc at one path. */
export interface Route {
  rpc: DescMethodUnary | DescMethodServerStreaming;
  template: PathTemplate;
  /** Whether a body may come: the rule names one. */
  takesBody: boolean;
  /** "*": all fields but those of the path; the name of a field; empty: no body. */
  body: string;
  /** The field that is the answer; undefined: the whole message. */
  responseField: string | undefined;
  /** @throws BadField that names the field. */
  readRequest(parts: RequestParts): Message;
  /**
   * Makes a reader for bodies that are no JSON: the body as it came is a field of bytes, and the query says the rest.
   * @throws Error when the rule has no body "*", or the field is none of bytes.
   */
  rawReader(fieldName: string): Route["readRequest"];
}

/**
 * Compiles one binding of an rpc.
 * @throws Error that says what in the rule cannot be served.
 */
export function compileRoute(rpc: DescMethod, binding: Binding): Route {
  if (!isServed(rpc)) throw new Error("an rpc that takes a stream has no REST form here");
  for (const { typeName } of [rpc.input, rpc.output])
    if (typeName === "google.api.HttpBody") throw new Error("google.api.HttpBody has no REST form here");
  const template = parsePathTemplate(binding.path);
  const bound = template.variables.map((variable) => ({ variable, path: pathVariable(rpc.input, variable) }));
  const taken = new Set(bound.map(({ path }) => path.jsonPath));
  if (taken.size < bound.length) throw new Error(`path ${JSON.stringify(template.source)} names a field twice`);
  const reader = (readBody: BodyReader, readQuery: ReturnType<typeof queryReader>): Route["readRequest"] =>
    function readRequest({ segments, query, body }) {
      const message = readBody(body);
      for (const { variable, path } of bound) setFromTexts(message, path, [textOf(variable, segments)]);
      if (query !== "") readQuery(message, query);
      return message;
    };
  return {
    rpc,
    template,
    takesBody: binding.body !== "",
    body: binding.body,
    responseField: responseField(rpc.output, binding.responseBody),
    readRequest: reader(bodyReader(rpc.input, binding.body, taken), queryReader(rpc.input, binding.body, taken)),
    rawReader(fieldName) {
      if (binding.body !== "*") throw new Error('only a rule with body "*" can take bodies as they come');
      return reader(rawBodyReader(rpc.input, fieldName), queryReader(rpc.input, fieldName, taken));
    },
  };
}

function isServed(rpc: DescMethod): rpc is Route["rpc"] {
  return rpc.methodKind === "unary" || rpc.methodKind === "server_streaming";
}

function pathVariable(input: DescMessage, { fieldPath }: Variable): FieldPath {
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

type BodyReader = (bytes: Uint8Array | undefined) => Message;

function bodyReader(input: DescMessage, body: string, taken: TakenPaths): BodyReader {
  const isEmpty = (bytes: Uint8Array | undefined): bytes is undefined => bytes === undefined || bytes.length === 0;
  if (body === "*")
    return (bytes) => (isEmpty(bytes) ? create(input) : readMessage(input, parseJson(bytes), "", taken));
  if (body === "")
    return (bytes) => {
      if (!isEmpty(bytes)) throw new BadField("", "this route takes no body");
      return create(input);
    };
  const plan = planOf(input).fields.get(body);
  if (plan === undefined) throw new Error(`body ${JSON.stringify(body)} is no field of ${input.typeName}`);
  return (bytes) => {
    const message = create(input);
    const { field, read } = plan;
    if (!isEmpty(bytes)) setField(message, field, read(parseJson(bytes), field.jsonName, taken), field.jsonName);
    return message;
  };
}

function rawBodyReader(input: DescMessage, fieldName: string): BodyReader {
  const field = planOf(input).fields.get(fieldName)?.field;
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.BYTES)
    throw new Error(`raw body ${JSON.stringify(fieldName)} is no field of bytes of ${input.typeName}`);
  return (bytes) => {
    const message = create(input);
    if (bytes !== undefined) setField(message, field, bytes, field.jsonName);
    return message;
  };
}

function queryReader(input: DescMessage, body: string, taken: TakenPaths) {
  const bodyField = planOf(input).fields.get(body)?.field;
  return (message: Message, query: string): void => {
    const given = new Set<string>();
    for (const [name, texts] of parseQuery(query)) {
      const path = body === "*" ? undefined : findFieldPath(input, name);
      if (path === undefined || path.steps[0] === bodyField)
        throw new BadField(name, "is not a parameter of this route");
      const { jsonPath } = path;
      if (taken.has(jsonPath)) throw new BadField(jsonPath, "is given by the path and must not be in the query");
      if (given.has(jsonPath)) throw new BadField(jsonPath, "is given twice");
      given.add(jsonPath);
      const problem = textProblem(path.field);
      if (problem !== undefined) throw new BadField(jsonPath, `${problem}, which a query cannot say`);
      setFromTexts(message, path, texts);
    }
  };
}

function responseField(output: DescMessage, name: string): string | undefined {
  if (name === "") return undefined;
  if (!planOf(output).fields.has(name))
    throw new Error(`response_body ${JSON.stringify(name)} is no field of ${output.typeName}`);
  return name;
}
