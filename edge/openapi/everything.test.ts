import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { file_ferry_options_v1_options } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import type { Backend } from "../backends.ts";
import { compileEdgeRoutes } from "../routes.ts";
import { arbitraryMessage } from "../transcoding/testing/arbitrary-message.ts";
import { contractOf } from "../transcoding/testing/contracts.ts";
import { openApiDocument } from "./document.ts";

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, checked by the assertions
type Document = Record<string, any>;

const policy = { auth: "AUTH_PUBLIC", deadlineMs: 1_000, rateClass: "RATE_CLASS_READ", retry: "RETRY_SAFE" };
const rpc = (name: string, rule: JsonObject, more: { input?: string; output?: string } = {}) => ({
  ...{ name, rule, ...more },
  options: { "[ferry.options.v1.method]": { ...policy, idempotencyKey: "IDEMPOTENCY_KEY_NONE" } },
});
const contract = contractOf(
  [
    rpc("Make", { post: "/v1/things", body: "*" }),
    rpc("Put", { put: "/v1/things/{text}", body: "inner", responseBody: "inner" }),
    rpc("Get", { get: "/v1/{text=shelves/*/books/*}:read", additionalBindings: [{ get: "/v1/all/{text=**}" }] }),
    rpc("Upload", { post: "/v1/uploads/{id}", body: "file" }, { input: ".test.Upload", output: ".test.Download" }),
    rpc(
      "Download",
      { get: "/v1/downloads/{name}", responseBody: "file" },
      { input: ".test.Download", output: ".test.Download" },
    ),
    rpc("Find", { custom: { kind: "SEARCH", path: "/v1/things" }, body: "*" }),
  ],
  [file_ferry_options_v1_options],
);
const backend: Backend = {
  name: "x",
  unready: () => undefined,
  unary: () => assert.fail(),
  stream: () => assert.fail(),
};
const { plans } = compileEdgeRoutes(new Map([["x", backend]]), [{ service: contract.service, backend: "x" }]);
const document: Document = JSON.parse(JSON.stringify(openApiDocument(plans, "1")));

test("what google.api.http can say, and OpenAPI too, is said", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 1));
  assert.deepEqual(Object.keys(document.paths), [
    "/v1/all/{text}",
    "/v1/downloads/{name}",
    "/v1/shelves/{text_1}/books/{text_2}:read",
    "/v1/things",
    "/v1/things/{text}",
    "/v1/uploads/{id}",
  ]);
  assert.deepEqual(Object.keys(document.paths["/v1/things"]), ["post"]); // SEARCH has no place in OpenAPI 3.1.
  const names = Object.values(document.paths).flatMap((item) =>
    Object.values(item as Document).map((one) => one.operationId),
  );
  assert.equal(new Set(names).size, names.length);
});

test("bodies of any content are told as such, in and out", () => {
  const { post } = document.paths["/v1/uploads/{id}"];
  assert.deepEqual(post.requestBody.content, { "*/*": {} });
  assert.deepEqual(document.paths["/v1/downloads/{name}"].get.responses["200"].content, { "*/*": {} });
  const queried = post.parameters.filter((one: Document) => one.in === "query").map((one: Document) => one.name);
  assert.deepEqual(queried, ["note"]);
});

test("every answer that the edge can write fits its schema, and is a request that fits its own", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "ferry:", components: document.components });
  const plan = plans.find(({ route }) => route.rpc.name === "Make")!;
  const [answer, request] = ["Everything", "EverythingInput"].map(
    (name) => ajv.getSchema(`ferry:#/components/schemas/${name}`)!,
  );
  fc.assert(
    fc.property(arbitraryMessage(plan.route.rpc.output), (message) => {
      const json = JSON.parse(plan.write(message));
      assert.ok(answer!(json), JSON.stringify(answer!.errors));
      assert.ok(request!(json), JSON.stringify(request!.errors));
    }),
    { numRuns: 200 },
  );
});
