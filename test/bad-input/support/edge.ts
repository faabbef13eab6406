import assert from "node:assert/strict";
import { create, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { WatchTransferResponseSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { generateKeyPair } from "@ferry/platform/auth";
import type { LightMyRequestResponse } from "fastify";
import { exampleOf } from "../../../edge/openapi/examples.ts";
import { compileEdgeRoutes, type EdgePlan } from "../../../edge/routes.ts";
import { createHarness, type HarnessOptions } from "../../../edge/testing/harness.ts";
import { findFieldPath } from "../../../edge/transcoding/index.ts";

/** A route of the edge, and a request that it takes. */
export interface Sample {
  plan: EdgePlan;
  /** The whole request by JSON names, the fields of its path too. */
  example: JsonObject;
}

/** The key of the tests' own tokens, which the edge knows beside the authority's. */
export const KID = "tests";

/** The edge with all of Ferry's routes and doors, before backends that note every call. */
export async function openEdge({ limits, options, answers }: HarnessOptions = {}) {
  const harness = await createHarness({
    limits: limits ?? {},
    options: { doors: ["connect", "grpc-web"], ...options },
    answers: {
      async *WatchTransfer() {
        yield create(WatchTransferResponseSchema);
      },
      ...answers,
    },
  });
  const keys = generateKeyPair();
  const { authority, backends, bearer } = harness;
  const tell = (change: Partial<ReturnType<typeof authority.snapshot>>) => {
    const nothing = { snapshot: false, suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
    authority.apply({ ...nothing, keys: [], ...change });
  };
  tell({ keys: [...authority.snapshot().keys, { kid: KID, publicKeyPem: keys.publicKeyPem }] });
  const { plans } = compileEdgeRoutes(new Map(backends.map((backend) => [backend.name, backend])));
  const samples = plans.map((plan): Sample => ({ plan, example: exampleFor(plan) }));
  const bearerFor = ({ policy }: EdgePlan) => bearer(policy.auth === "operator" ? "operator" : "member");
  return { ...harness, keys, tell, samples, bearerFor };
}

export type TestEdge = Awaited<ReturnType<typeof openEdge>>;

function exampleFor({ route }: EdgePlan): JsonObject {
  const example = exampleOf(route.rpc.input);
  if (example === undefined) throw new Error(`there is no example of ${route.rpc.input.typeName}`);
  // A field that chooses the service behind takes none but its names.
  return "service" in example ? { ...example, service: "ledger" } : example;
}

export const nameOf = ({ route }: EdgePlan) => `${route.httpMethod} ${route.template.source}`;

/** JSON names of the fields that the path gives. */
export function pathFieldsOf({ route }: EdgePlan): string[] {
  return route.template.variables.map(({ fieldPath }) => findFieldPath(route.rpc.input, fieldPath)!.jsonPath);
}

/** A value that is none: what stands for it as JSON, and as text of a path or query. */
export interface Spoilt {
  json: string;
  text?: string;
}

/** Stands in a request where a bad value goes. No rule of a contract is asked about it. */
export const MARK = "\u2021";

export interface Rendered {
  method: "GET" | "POST";
  url: string;
  headers: Record<string, string>;
  payload: string | undefined;
}

/** Writes a request by its route, with a bad value where the mark is. */
export function render(plan: EdgePlan, request: JsonObject, spoilt: Spoilt = { json: "" }): Rendered {
  const { route, policy } = plan;
  const rest: Record<string, JsonValue> = structuredClone(request);
  const text = (value: unknown) => encodeURIComponent(value === MARK ? (spoilt.text ?? spoilt.json) : String(value));
  let url = route.template.source;
  for (const { fieldPath } of route.template.variables) {
    const { jsonPath } = findFieldPath(route.rpc.input, fieldPath)!;
    url = url.replace(new RegExp(`\\{${fieldPath}(=[^}]*)?\\}`), () => text(rest[jsonPath]));
    delete rest[jsonPath];
  }
  assert.match(route.body, /^\*?$/, "a field as body is not known here");
  const headers: Record<string, string> = policy.keyRequired ? { "idempotency-key": "k" } : {};
  const method = route.httpMethod as Rendered["method"];
  if (!route.takesBody) {
    const parameters = Object.entries(rest).flatMap(([name, value]) =>
      [value].flat().map((one) => `${name}=${text(one)}`),
    );
    return {
      method,
      url: url + (parameters.length > 0 ? `?${parameters.join("&")}` : ""),
      headers,
      payload: undefined,
    };
  }
  const payload = JSON.stringify(rest).replace(JSON.stringify(MARK), () => spoilt.json);
  return { method, url, headers: { ...headers, "content-type": "application/json" }, payload };
}

/** Sends a request with a good token. */
export function send(edge: TestEdge, plan: EdgePlan, rendered: Rendered): Promise<LightMyRequestResponse> {
  const { payload, headers, ...target } = rendered;
  const authorization = edge.bearerFor(plan);
  return edge.app.inject({
    ...target,
    headers: { authorization, ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
}

/** An answer as these tests look at it, over a socket or in memory. */
export interface Refusal {
  status: number;
  body: string;
  contentType: string;
}

export const refusalOf = ({ statusCode, body, headers }: LightMyRequestResponse): Refusal => ({
  status: statusCode,
  body,
  contentType: String(headers["content-type"]),
});

/** Holds that an answer is the failure envelope with this code, and nothing of our inside. @returns The fields named. */
export function assertRefused(answer: Refusal, status: number, code: string, what: string): string[] {
  assert.equal(answer.status, status, `${what}: ${answer.body}`);
  assert.match(answer.contentType, /^application\/json/, what);
  const { error, meta, ...others } = JSON.parse(answer.body);
  assert.deepEqual(Object.keys(others), [], what);
  assert.deepEqual(Object.keys(error), ["code", "status", "message", "details", "retryable"], what);
  assert.deepEqual([error.code, error.status], [code, status], `${what}: ${answer.body}`);
  assert.ok(error.message.length > 0, what);
  assert.ok(meta.requestId && meta.traceId, what);
  assert.doesNotMatch(answer.body, /\.ts\b|node_modules|\bat [\w.]+ \(/, what);
  return error.details.map(({ field }: { field: string }) => field);
}
