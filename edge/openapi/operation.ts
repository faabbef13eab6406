import { getOption } from "@bufbuild/protobuf";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { EdgePlan } from "../routes.ts";
import { successResponses } from "./answers.ts";
import { commentOf, firstSentence } from "./comments.ts";
import type { Components } from "./components.ts";
import { exampleOf } from "./examples.ts";
import { headerParameter } from "./headers.ts";
import { type OpenApiPath, queryParameters } from "./parameters.ts";
import { failureResponses } from "./responses.ts";
import type { JsonObject, Schema } from "./schema.ts";

/** What operations put into the parts of a document that they share. */
export interface Shared {
  components: Components;
  responses: Map<string, JsonObject>;
}

/** One route as an operation of OpenAPI; all of it from the contract. */
export function operationOf(plan: EdgePlan, operationId: string, path: OpenApiPath, shared: Shared): JsonObject {
  const { route, policy, rateClass } = plan;
  const { rpc } = route;
  const comment = commentOf(rpc) ?? "";
  const bodyField = route.body === "" || route.body === "*" ? undefined : route.body;
  const query = route.body === "*" ? [] : queryParameters(rpc.input, path.taken, bodyField, shared.components);
  return {
    operationId,
    tags: [tagOf(plan)],
    summary: firstSentence(comment),
    description: [comment, ...whoMayCall(plan), ...howLong(plan)].filter((text) => text !== "").join("\n\n"),
    deprecated: rpc.deprecated || undefined,
    security: policy.auth === "public" ? [] : [{ bearer: policy.scopes }],
    parameters: [...path.parameters, ...query, ...headerParameters(plan)],
    requestBody: requestBody(plan, path.taken, shared.components),
    responses: { ...successResponses(plan, shared.components), ...failureResponses(plan, shared.responses) },
    "x-ferry-auth": policy.auth,
    "x-ferry-rate-class": rateClass,
    "x-ferry-deadline-ms": policy.deadlineMs,
    "x-ferry-max-wait-ms": policy.maxWaitMs > 0 ? policy.maxWaitMs : undefined,
  };
}

/** The service without the word "Service". */
export function tagOf({ route }: EdgePlan): string {
  return route.rpc.parent.name.replace(/(?<=.)Service$/, "");
}

function whoMayCall({ policy, deprecation }: EdgePlan): string[] {
  const scopes = policy.scopes.map((scope) => `\`${scope}\``).join(", ");
  const who = { public: "Anybody may call it.", member: "For members", operator: "For operators", service: "" };
  return [
    policy.auth === "public" ? who.public : `${who[policy.auth]}, with the scopes ${scopes}.`,
    ...(deprecation === undefined ? [] : [deprecation.inWords]),
  ];
}

function howLong({ policy, maxBodyBytes }: EdgePlan): string[] {
  return [
    ...(policy.deadlineMs > 0 ? [`Answered within ${policy.deadlineMs} ms, or 504.`] : []),
    ...(policy.maxWaitMs > 0 ? [`\`Prefer: wait=SECONDS\` waits up to ${policy.maxWaitMs / 1_000} s more.`] : []),
    ...(maxBodyBytes > 0 ? [`The body may have ${maxBodyBytes} bytes.`] : []),
  ];
}

function headerParameters({ route, policy }: EdgePlan): JsonObject[] {
  const { rpc } = route;
  const resumes = (getOption(rpc, policyOption).eventStream?.afterField ?? "") !== "";
  return [
    ...(policy.keyRequired ? [headerParameter("IdempotencyKey")] : []),
    ...(policy.maxWaitMs > 0 ? [headerParameter("Prefer")] : []),
    ...(rpc.methodKind === "unary" && route.httpMethod === "GET" ? [headerParameter("IfNoneMatch")] : []),
    ...(resumes ? [headerParameter("LastEventId")] : []),
    headerParameter("XRequestId"),
    headerParameter("Traceparent"),
  ];
}

function requestBody({ route }: EdgePlan, taken: ReadonlySet<string>, components: Components): JsonObject | undefined {
  if (!route.takesBody) return undefined;
  if (route.bodyForm === "any") return { content: { "*/*": {} } };
  const { rpc, body } = route;
  const json = jsonBody(route, taken, components);
  const raw = getOption(rpc, policyOption).rawBodies.map(({ contentType, field }): [string, JsonObject] => {
    const others = queryParameters(rpc.input, taken, field, components);
    const comment = commentOf(rpc.input.fields.find(({ name }) => name === field)!);
    // OpenAPI has no parameters that go with one content type alone, so they stand beside it.
    const schema = { type: "string", contentMediaType: contentType, description: comment };
    return [contentType, { schema, "x-ferry-query": others }];
  });
  return {
    required: (body === "*" && raw.length === 0 && json.isRequired) || undefined,
    content: { "application/json": json.media, ...Object.fromEntries(raw) },
  };
}

function jsonBody({ rpc, body }: EdgePlan["route"], taken: ReadonlySet<string>, components: Components) {
  const { input } = rpc;
  if (body !== "*") {
    const field = input.fields.find(({ name }) => name === body)!;
    return { media: { schema: components.field(field, "request") }, isRequired: false };
  }
  const whole = exampleOf(input);
  const example = whole && Object.fromEntries(Object.entries(whole).filter(([name]) => !taken.has(name)));
  const schema: Schema = components.messageObject(input, "request", taken);
  const media = { schema: taken.size === 0 ? components.message(input, "request") : schema, example };
  return { media, isRequired: schema.required !== undefined };
}
