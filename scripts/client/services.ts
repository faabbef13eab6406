// What the client says of each rpc: its plan for the runtime, and its type.
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
} from "@bufbuild/protobuf";
import { Auth, IdempotencyKey, method as policyOption, Retry } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { http } from "@ferry/gen/google/api/annotations_pb.ts";
import type { RpcPlan } from "../../client/calls.ts";
import { type CommentOf, docText, fieldType, type NameOf } from "./types.ts";

const HTTP_BODY = "google.api.HttpBody";

/** "TransferBatchService" is "transferBatch". */
export function serviceName({ name }: DescService): string {
  const short = name.replace(/Service$/, "");
  return short.charAt(0).toLowerCase() + short.slice(1);
}

/** The rpcs of a service that members and machines can call over REST. */
export function offeredRpcs(service: DescService): DescMethod[] {
  return service.methods.filter(
    (rpc) =>
      hasOption(rpc, http) &&
      getOption(rpc, policyOption).auth !== Auth.SERVICE &&
      (rpc.methodKind === "unary" || rpc.methodKind === "server_streaming"),
  );
}

/** The field that tells a replay: status and header say it, so answers do not show it. */
export function replayedField(rpc: DescMethod): DescField | undefined {
  const name = getOption(rpc, policyOption).responseStatus?.replayedField;
  return rpc.output.fields.find((field) => field.name === name);
}

/** The fields that the path of an rpc is made of. */
export function pathFields(rpc: DescMethod): DescField[] {
  return [...pathOf(rpc).matchAll(/\{([\w.]+)/g)].flatMap(([, path = ""]) => fieldsAt(rpc.input, path));
}

/** The whole answer, or the field that is shown as the answer. */
export function answerField(rpc: DescMethod): DescField | undefined {
  const { responseBody } = getOption(rpc, http);
  return rpc.output.fields.find(({ name }) => responseBody !== "" && name === responseBody);
}

/**
 * What an rpc is asked for, where its answer holds just that (AIP-131 and its like): it comes, or the call fails.
 * An answer of several messages may lack some of them.
 */
export function answeredField(rpc: DescMethod): DescField | undefined {
  const messages = rpc.output.fields.filter(({ fieldKind }) => fieldKind === "message");
  return messages.length === 1 && messages[0]!.oneof === undefined ? messages[0] : undefined;
}

export function hasRawAnswer(rpc: DescMethod): boolean {
  const field = answerField(rpc);
  return (field === undefined ? rpc.output : field.message)?.typeName === HTTP_BODY;
}

function ruleOf(rpc: DescMethod): { httpMethod: string; path: string; body: string } {
  const { pattern, body } = getOption(rpc, http);
  if (pattern.case === undefined) throw new Error(`${rpc.parent.typeName}.${rpc.name} has a rule without a path`);
  if (pattern.case !== "custom") return { httpMethod: pattern.case.toUpperCase(), path: pattern.value, body };
  const kind = pattern.value.kind.toUpperCase();
  return { httpMethod: kind === "*" ? "POST" : kind, path: pattern.value.path, body };
}

const pathOf = (rpc: DescMethod) => ruleOf(rpc).path;

function fieldsAt(input: DescMessage, path: string): DescField[] {
  const fields: DescField[] = [];
  let desc: DescMessage | undefined = input;
  for (const step of path.split(".")) {
    const field: DescField | undefined = desc?.fields.find(({ name }) => name === step);
    if (field === undefined) throw new Error(`${input.typeName} has no field ${path}`);
    fields.push(field);
    desc = field.message;
  }
  return fields;
}

/** "/v1/transfers/{transfer_id}:cancel" by JSON names; a variable that may have several segments has a plus. */
function clientPath(rpc: DescMethod): string {
  const made = pathOf(rpc).replace(/\{([\w.]+)(?:=([^}]*))?\}/g, (_, path: string, segments: string | undefined) => {
    const name = fieldsAt(rpc.input, path)
      .map(({ jsonName }) => jsonName)
      .join(".");
    return `{${segments === undefined || segments === "*" ? "" : "+"}${name}}`;
  });
  if (made.includes("*"))
    throw new Error(`${rpc.parent.typeName}.${rpc.name}: a path with a bare wildcard has no client`);
  return made;
}

/** The list that a page holds; undefined when the rpc gives no pages. */
function itemsField(rpc: DescMethod): DescField | undefined {
  const paged =
    rpc.methodKind === "unary" &&
    rpc.input.fields.some(({ name }) => name === "page_token") &&
    rpc.output.fields.some(({ name }) => name === "next_page_token");
  const lists = rpc.output.fields.filter(({ fieldKind }) => fieldKind === "list");
  return paged && lists.length === 1 ? lists[0] : undefined;
}

export function planOf(rpc: DescMethod): RpcPlan {
  const option = getOption(rpc, policyOption);
  const { httpMethod, body } = ruleOf(rpc);
  const bodyField = rpc.input.fields.find(({ name }) => name === body);
  const items = itemsField(rpc);
  return {
    httpMethod,
    path: clientPath(rpc),
    body: bodyField?.jsonName ?? body,
    withToken: option.auth !== Auth.PUBLIC,
    deadlineMs: option.deadlineMs,
    retrySafe: option.retry === Retry.SAFE,
    ...(option.idempotencyKey === IdempotencyKey.REQUIRED ? { keyRequired: true } : {}),
    ...(items === undefined ? {} : { items: items.jsonName }),
    ...(rpc.methodKind === "unary" ? {} : { stream: { resumable: (option.eventStream?.idField ?? "") !== "" } }),
    ...(hasRawAnswer(rpc) ? { rawAnswer: true } : {}),
  };
}

/** The type of an rpc's function. */
function callType(rpc: DescMethod, nameOf: NameOf): string {
  const option = getOption(rpc, policyOption);
  const request = nameOf(rpc.input, "input");
  const field = answerField(rpc);
  const whole = field === undefined ? nameOf : undefined;
  const answer = hasRawAnswer(rpc)
    ? "RawAnswer"
    : (whole?.(rpc.output, "output") ?? fieldType(field!, "output", nameOf));
  if (rpc.methodKind !== "unary") return `StreamCall<${request}, ${answer}>`;
  const items = itemsField(rpc);
  if (items !== undefined) return `PagedCall<${request}, ${answer}, ${answer}["${items.jsonName}"][number]>`;
  const types = option.rawBodies.map(({ contentType }) => JSON.stringify(contentType)).join(" | ");
  const more = [
    ...(option.idempotencyKey === IdempotencyKey.REQUIRED ? ["WithKey"] : []),
    ...(option.maxWaitMs > 0 ? ["WithWait"] : []),
    ...(types === "" ? [] : [`WithRawBody<${types}>`]),
  ];
  return `Call<${[request, answer, ...(more.length === 0 ? [] : [["CallOptions", ...more].join(" & ")])].join(", ")}>`;
}

export function serviceText(service: DescService, nameOf: NameOf, commentOf: CommentOf): string {
  const lines = offeredRpcs(service).map((rpc) => {
    const comment = [commentOf(`${service.typeName}.${rpc.name}`), `\`${ruleOf(rpc).httpMethod} ${pathOf(rpc)}\``];
    const deprecated = rpc.deprecated ? ["@deprecated"] : [];
    const doc = docText([...comment, ...deprecated].filter((text) => text !== undefined).join("\n\n"), "  ");
    return `${doc}  ${rpc.localName}: ${callType(rpc, nameOf)};\n`;
  });
  return `${docText(commentOf(service.typeName))}export interface ${service.name.replace(/Service$/, "")}Calls {\n${lines.join("")}}\n`;
}
