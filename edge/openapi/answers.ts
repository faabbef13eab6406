import { getOption } from "@bufbuild/protobuf";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { EdgePlan } from "../routes.ts";
import type { Components } from "./components.ts";
import { headersOf } from "./headers.ts";
import { successSchema } from "./responses.ts";
import type { JsonObject, Schema } from "./schema.ts";

/** Told where there are limits. */
const BUDGET = ["RateLimit", "RateLimitPolicy"];

/** The answers of an operation that are no failures, by status. */
export function successResponses(plan: EdgePlan, components: Components): Record<string, JsonObject> {
  const { route, policy } = plan;
  const always = [
    "XRequestId",
    ...BUDGET,
    ...(plan.deprecation === undefined ? [] : ["Deprecation", "Sunset", "Link"]),
  ];
  if (route.rpc.methodKind !== "unary") return streamResponses(plan, components, always);
  const waits = policy.maxWaitMs > 0 ? ["PreferenceApplied"] : [];
  if (route.httpMethod === "GET")
    return {
      200: {
        description: "What was asked for.",
        headers: headersOf(...always, ...waits, "ETag"),
        ...content(plan, components),
      },
      304: { description: "The caller has this already, by If-None-Match.", headers: headersOf("XRequestId", "ETag") },
    };
  const answer = (description: string, ...headers: string[]): JsonObject => ({
    description,
    headers: headersOf(...always, ...waits, ...headers),
    ...content(plan, components),
  });
  const option = getOption(route.rpc, policyOption).responseStatus;
  if (option === undefined) return { 200: answer("Done; or it was so already.") };
  return {
    ...(option.replayedField === ""
      ? {}
      : { 200: answer("A request with the same key was recorded before: what became of it.", "IdempotencyReplayed") }),
    201: answer(
      option.stateField === "" ? "Recorded." : "Recorded, and at its end, which may be a failure: the state says so.",
    ),
    ...(option.pendingStates.length === 0 ? {} : { 202: answer("Recorded, and on its way.") }),
  };
}

function content({ route }: EdgePlan, components: Components): JsonObject {
  if (route.answerForm === "any") return { content: { "*/*": {} } };
  return { content: { "application/json": { schema: successSchema(dataSchema(route, components)) } } };
}

function dataSchema({ rpc, responseField }: EdgePlan["route"], components: Components): Schema {
  const field = rpc.output.fields.find(({ name }) => name === responseField);
  return field === undefined ? components.message(rpc.output, "answer") : components.field(field, "answer");
}

function streamResponses(
  { route }: EdgePlan,
  components: Components,
  headers: readonly string[],
): Record<string, JsonObject> {
  if (route.answerForm === "any")
    return {
      200: { description: "The content, as it comes.", headers: headersOf(...headers), content: { "*/*": {} } },
    };
  const message = dataSchema(route, components);
  const data = { type: "string", contentMediaType: "application/json", contentSchema: message };
  const text = { type: "string" };
  const event = { type: "object", properties: { id: text, event: text, data }, required: ["data"] };
  return {
    200: {
      description:
        "A stream: server-sent events, of which each `data:` is a message without the envelope, and an event `error` has the envelope of a failure; or, where `Accept` asks for application/x-ndjson, a line of JSON for each message. The schemas are those of one event and one line.",
      headers: headersOf(...headers),
      content: {
        "text/event-stream": { schema: event },
        "application/x-ndjson": { schema: { type: "object", properties: { data: message }, required: ["data"] } },
      },
    },
    204: { description: "Nothing more to tell: do not come back.", headers: headersOf(...headers) },
  };
}
