import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  Message,
  Registry,
} from "@bufbuild/protobuf";
import { type AnswerForm, compileAnswer } from "./answer.ts";
import type { Binding } from "./http-rule.ts";
import { type PathTemplate, parsePathTemplate } from "./path-template.ts";
import { compilePathFields, type PathField, readPath } from "./path-variables.ts";
import { queryReader, type ReadQuery } from "./query.ts";
import { type RenderedRequest, requestRenderer } from "./render-request.ts";
import { type BodyForm, type BodyPlan, compileBody, type ReadBody, rawBody } from "./request-body.ts";

/** The parts of an HTTP request that become a message. */
export interface RequestParts {
  /** Segments of the path, still percent-encoded, as the match gave them. */
  segments: readonly string[];
  /** Without the question mark; empty when there is none. */
  query: string;
  /** Undefined or empty: no body, which means the same as a body without fields. */
  body: Uint8Array | undefined;
  /** The header Content-Type: only a google.api.HttpBody keeps it. Whether it is JSON is for the caller to check. */
  contentType?: string | undefined;
}

/** One rpc at one path. */
export interface Route extends AnswerForm {
  rpc: DescMethodUnary | DescMethodServerStreaming;
  template: PathTemplate;
  /** Whether a body may come: the rule names one. */
  takesBody: boolean;
  /** "*": all fields but those of the path; the name of a field; empty: no body. */
  body: string;
  /** What the body is: "json", or "any", which is taken as it comes with its content type (google.api.HttpBody). */
  bodyForm: BodyForm;
  /** The types that a google.protobuf.Any may hold. */
  registry: Registry;
  /** @throws BadField that names the field. */
  readRequest(parts: RequestParts): Message;
  /**
   * Makes a reader for bodies that are no JSON: the body as it came is a field of bytes, and the query says the rest.
   * @throws Error when the rule has no body "*", or the field is none of bytes.
   */
  rawReader(fieldName: string): Route["readRequest"];
  /**
   * The other way around, for clients: the request that makes a message.
   * @throws Error when the message has something that the rule cannot say, as a map in a query, or lacks what its path needs.
   */
  renderRequest(message: Message): RenderedRequest;
}

/**
 * Compiles one binding of an rpc.
 * @throws Error that says what in the rule cannot be served.
 */
export function compileRoute(rpc: DescMethod, binding: Binding, registry: Registry): Route {
  if (!isServed(rpc)) throw new Error("an rpc that takes a stream has no REST form here");
  const { input, output } = rpc;
  const template = parsePathTemplate(binding.path);
  const pathFields = compilePathFields(input, template);
  const taken = new Set(pathFields.map(({ path }) => path.jsonPath));
  const body = compileBody(input, binding.body, { taken, registry });
  checkOverlap(input, body, pathFields);
  const reader = (readBody: ReadBody, readQuery: ReadQuery): Route["readRequest"] =>
    function readRequest({ segments, query, body: bytes, contentType }) {
      const message = readBody(bytes, contentType);
      readPath(message, pathFields, segments);
      if (query !== "") readQuery(message, query);
      return message;
    };
  const inBody = binding.body === "*" ? "all" : body.field;
  return {
    ...compileAnswer(output, binding.responseBody, registry),
    rpc,
    template,
    registry,
    takesBody: body.form !== "none",
    body: binding.body,
    bodyForm: body.form,
    readRequest: reader(body.read, queryReader(input, inBody, taken)),
    rawReader(fieldName) {
      if (binding.body !== "*") throw new Error('only a rule with body "*" can take bodies as they come');
      const field = input.fields.find(({ name }) => name === fieldName);
      return reader(rawBody(input, fieldName), queryReader(input, field, taken));
    },
    renderRequest: requestRenderer({ input, template, pathFields, inBody, form: body.form, registry }),
  };
}

function isServed(rpc: DescMethod): rpc is Route["rpc"] {
  return rpc.methodKind === "unary" || rpc.methodKind === "server_streaming";
}

/** The path sets its fields in what the body made: the two must not be able to exclude each other. */
function checkOverlap(input: DescMessage, body: BodyPlan, pathFields: readonly PathField[]): void {
  if (body.form === "any" && body.field === undefined && pathFields.length > 0)
    throw new Error(`all of ${input.typeName} is the body, so the path can give none of its fields`);
  const { field } = body;
  if (field === undefined) return;
  for (const { variable, path } of pathFields) {
    const first = path.steps[0]!;
    const isInside = first === field && path.steps.length > 1 && body.form === "json";
    if (first === field && !isInside) throw new Error(`the path's {${variable.fieldPath}} is in the body`);
    if (first !== field && first.oneof !== undefined && first.oneof === field.oneof)
      throw new Error(`the path's {${variable.fieldPath}} and the body ${field.name} exclude each other`);
  }
}
