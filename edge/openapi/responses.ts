import { STATUS_CODES } from "node:http";
import { getOption } from "@bufbuild/protobuf";
import { ReasonSchema } from "@ferry/gen/ferry/errors/v1/errors_pb.ts";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { catalogue, type Reason } from "@ferry/platform/errors";
import type { EdgePlan } from "../routes.ts";
import { commentOf, reasonsOf } from "./comments.ts";
import { headersOf } from "./headers.ts";
import type { JsonObject, Schema } from "./schema.ts";
import { refTo } from "./value-schemas.ts";

const META_EXAMPLE = {
  requestId: "5f0c8f0e-6a52-4d0b-9d0c-2f6f3f1f7b11",
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
};

/** Answers and errors stand in one envelope, whose parts these are. */
export const envelopeSchemas: Readonly<Record<string, Schema>> = {
  Meta: {
    type: "object",
    description: "Under which names an answer is found in the logs.",
    properties: { requestId: { type: "string" }, traceId: { type: "string" } },
    required: ["requestId", "traceId"],
  },
  Problem: {
    type: "object",
    description: "What every failure is answered with.",
    properties: {
      error: {
        type: "object",
        properties: {
          code: refTo("Reason"),
          status: { type: "integer", description: "The HTTP status once more." },
          message: { type: "string", description: "One sentence for a person." },
          details: {
            type: "array",
            description: "The fields that are wrong, each with what is wrong with it; at most a hundred.",
            items: {
              type: "object",
              properties: { field: { type: "string" }, description: { type: "string" } },
              required: ["field", "description"],
            },
          },
          retryable: { type: "boolean", description: "Whether the same request can succeed later, unchanged." },
        },
        required: ["code", "status", "message", "details", "retryable"],
      },
      meta: refTo("Meta"),
    },
    required: ["error", "meta"],
  },
  Reason: {
    type: "string",
    description: [...catalogue.keys()].map((reason) => `- \`${reason}\`: ${meaningOf(reason)}`).join("\n"),
    enum: [...catalogue.keys()],
  },
};

/** The envelope of a success. */
export function successSchema(data: Schema): Schema {
  return { type: "object", properties: { data, meta: refTo("Meta") }, required: ["data", "meta"] };
}

export function meaningOf(reason: Reason): string {
  const value = ReasonSchema.values.find(({ number }) => number === catalogue.get(reason)!.number);
  return (value && commentOf(value)) ?? "";
}

const EVERYWHERE: readonly Reason[] = [
  ...(["INVALID_REQUEST", "METHOD_NOT_ALLOWED", "RATE_LIMITED", "RESOURCE_EXHAUSTED", "HEADERS_TOO_LARGE"] as const),
  ...(["INTERNAL", "UNIMPLEMENTED", "OVERLOADED", "UNAVAILABLE", "DEADLINE_EXCEEDED"] as const),
];
const WITH_TOKEN: readonly Reason[] = [
  ...(["UNAUTHENTICATED", "TOKEN_INVALID", "TOKEN_EXPIRED", "SESSION_REVOKED"] as const),
  ...(["PERMISSION_DENIED", "SCOPE_MISSING", "MEMBER_SUSPENDED"] as const),
];
const WITH_BODY: readonly Reason[] = ["BODY_TOO_LARGE", "MEDIA_TYPE_UNSUPPORTED"];

/** Every reason that an operation can fail with: what its contract's comment names, and what its kind of route has. */
export function allReasons({ route, policy }: EdgePlan): Reason[] {
  const own = reasonsOf(route.rpc);
  return [
    ...new Set<Reason>([
      ...own,
      ...EVERYWHERE,
      ...(policy.auth === "public" ? [] : WITH_TOKEN),
      ...(policy.keyRequired ? (["IDEMPOTENCY_KEY_INVALID"] as const) : []),
      ...(route.takesBody ? WITH_BODY : []),
      ...(route.template.variables.length > 0 ? (["ROUTE_NOT_FOUND"] as const) : []),
      ...(getOption(route.rpc, policyOption).serviceField === "" ? [] : (["NOT_FOUND"] as const)),
    ]),
  ];
}

/**
 * The failures of an operation by status, as references: operations that fail for the same reasons share them.
 * @param made Takes the responses that are referred to, by name.
 */
export function failureResponses(plan: EdgePlan, made: Map<string, JsonObject>): Record<string, JsonObject> {
  const byStatus = Map.groupBy(allReasons(plan), (reason) => catalogue.get(reason)!.httpStatus);
  return Object.fromEntries(
    [...byStatus].map(([status, unordered]) => {
      const reasons = unordered.toSorted();
      const name = `${status}.${reasons.join(".")}`;
      made.set(name, failureResponse(status, reasons));
      return [String(status), { $ref: `#/components/responses/${name}` }];
    }),
  );
}

function failureResponse(status: number, reasons: readonly Reason[]): JsonObject {
  const headers = [
    "XRequestId",
    ...(status === 429 ? ["RateLimit", "RateLimitPolicy"] : []),
    ...(status === 401 ? ["WwwAuthenticate"] : []),
    ...(status === 405 ? ["Allow"] : []),
    ...(status === 429 || status === 503 ? ["RetryAfter"] : []),
  ];
  const narrowed = { properties: { error: { properties: { code: { enum: reasons }, status: { const: status } } } } };
  const examples = reasons.map((reason): [string, JsonObject] => {
    const { retryable } = catalogue.get(reason)!;
    const error = { code: reason, status, message: meaningOf(reason), details: [], retryable };
    return [reason, { summary: meaningOf(reason), value: { error, meta: META_EXAMPLE } }];
  });
  return {
    description: [
      STATUS_CODES[status] ?? "The client went away.",
      ...reasons.map((reason) => `- \`${reason}\`: ${meaningOf(reason)}`),
    ].join("\n"),
    headers: headersOf(...headers),
    content: {
      "application/json": {
        schema: { allOf: [refTo("Problem"), narrowed] },
        examples: Object.fromEntries(examples),
      },
    },
  };
}
