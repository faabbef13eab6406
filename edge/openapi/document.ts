import { getOption } from "@bufbuild/protobuf";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { EdgePlan } from "../routes.ts";
import { commentOf } from "./comments.ts";
import { createComponents } from "./components.ts";
import { answerHeaders, requestHeaders } from "./headers.ts";
import { operationOf, type Shared, tagOf } from "./operation.ts";
import { openApiPath } from "./parameters.ts";
import { envelopeSchemas } from "./responses.ts";
import { type JsonObject, sorted } from "./schema.ts";

/** Methods that OpenAPI 3.1 has a place for; the others of google.api.http's custom rules it cannot say. */
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

const INTRODUCTION = `Moves money between people and banks.

**Answers** stand in one envelope: \`{"data": …, "meta": {"requestId", "traceId"}}\`; failures are \`{"error": {"code", "status", "message", "details", "retryable"}, "meta": …}\`, with a code of one closed catalogue. Defaults are always shown; objects that are not there are left out. Fields may be added.

**Requests** are JSON by ProtoJSON, narrowed: 64-bit integers are strings of decimal digits, enums go by name, bytes are base64, times are RFC 3339; \`null\`, fields that are not known or given twice, and texts with NUL are refused. Query parameters go by the names here or by their camelCase.

**Keys**: where \`Idempotency-Key\` is required, sending a request again with the same key does not do it again.

**Every GET** is answered to HEAD too, and every path to OPTIONS.`;

/** Writes what the edge serves as an OpenAPI 3.1 document: everything is read from the contracts. */
export function openApiDocument(plans: readonly EdgePlan[], version: string): JsonObject {
  const shown = plans.filter(({ route }) => METHODS.includes(route.httpMethod.toLowerCase()));
  const shared: Shared = {
    components: createComponents({
      requests: shown.map(({ route }) => route.rpc.input),
      answers: shown.map(({ route }) => route.rpc.output),
      omitted: new Set(shown.flatMap(({ status }) => status.replayedField ?? [])),
    }),
    responses: new Map(),
  };
  const idOf = operationIds();
  const paths = new Map<string, JsonObject>();
  for (const plan of shown) {
    const path = openApiPath(plan.route, shared.components);
    const operation = operationOf(plan, idOf(plan), path, shared);
    paths.set(path.path, { ...paths.get(path.path), [plan.route.httpMethod.toLowerCase()]: operation });
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Ferry",
      version,
      description: INTRODUCTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: tagsOf(shown),
    paths: sorted(paths),
    components: {
      schemas: sorted(Object.entries({ ...shared.components.all(), ...envelopeSchemas })),
      responses: sorted(shared.responses),
      parameters: requestHeaders,
      headers: answerHeaders,
      securitySchemes: { bearer: bearerScheme(shown) },
    },
  };
}

/** Service and method; further routes of an rpc have a number. */
function operationIds(): (plan: EdgePlan) => string {
  const counts = new Map<string, number>();
  return ({ route }) => {
    const id = `${route.rpc.parent.name}_${route.rpc.name}`;
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    return count === 1 ? id : `${id}_${count}`;
  };
}

function tagsOf(plans: readonly EdgePlan[]): JsonObject[] {
  const services = new Map(plans.map((plan) => [tagOf(plan), plan.route.rpc.parent]));
  return [...services].map(([name, service]) => ({ name, description: commentOf(service) ?? commentOf(service.file) }));
}

function bearerScheme(plans: readonly EdgePlan[]): JsonObject {
  const scopes = [...new Set(plans.flatMap(({ route }) => getOption(route.rpc, policyOption).scopes))].sort();
  return {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: `The \`accessToken\` that \`POST /v1/sessions\` answers. Scopes: ${scopes.map((scope) => `\`${scope}\``).join(", ")}.`,
  };
}
