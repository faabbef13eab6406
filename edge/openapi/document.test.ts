import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson } from "@bufbuild/protobuf";
import { catalogue } from "@ferry/platform/errors";
import { compileRules } from "@ferry/platform/rpc";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { compileEdgeRoutes } from "../routes.ts";
import { createHarness } from "../testing/harness.ts";
import { openApiDocument } from "./document.ts";

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, checked by the assertions
type Document = Record<string, any>;

const { app, backends } = await createHarness();
const { plans } = compileEdgeRoutes(new Map(backends.map((backend) => [backend.name, backend])));
const document: Document = JSON.parse(JSON.stringify(openApiDocument(plans, "1.2.3")));
const operations: Document[] = Object.values(document.paths).flatMap((item) => Object.values(item as object));
const operationOf = (id: string): Document => operations.find(({ operationId }) => operationId === id)!;

test("the document is OpenAPI 3.1, by its published schema", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 1));
});

test("every schema in it is a JSON Schema, and every reference leads somewhere", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "ferry:", components: document.components });
  for (const name of Object.keys(document.components.schemas))
    assert.ok(ajv.getSchema(`ferry:#/components/schemas/${name}`), name);
  for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/([^"]+)"/g)) {
    const [kind = "", name = ""] = reference!.split("/");
    assert.ok(document.components[kind]?.[name], `${kind}/${name}`);
  }
});

test("every route is there, once, with its comment, its errors and who may call", () => {
  assert.equal(operations.length, plans.length);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, plans.length);
  for (const operation of operations) {
    const { operationId, summary, description, security, responses } = operation;
    assert.ok(summary?.length > 5 && description.includes(summary), operationId);
    const isPublic = operation["x-ferry-auth"] === "public";
    assert.equal(security.length, isPublic ? 0 : 1, operationId);
    assert.ok(isPublic || ("401" in responses && "403" in responses), operationId);
    const successes = Object.keys(responses).filter((status) => status.startsWith("2"));
    assert.ok(successes.length > 0, operationId);
    for (const status of ["400", "405", "429", "500", "503", "504"]) assert.ok(responses[status], operationId);
  }
});

test("the document is the same text each time, paths and schemas in order", () => {
  assert.equal(JSON.stringify(openApiDocument(plans, "1.2.3")), JSON.stringify(document));
  for (const part of [document.paths, document.components.schemas, document.components.responses])
    assert.deepEqual(Object.keys(part), Object.keys(part).sort());
});

test("a transfer's operation says what its contract says", () => {
  const { responses, parameters, security } = operationOf("TransferService_CreateTransfer");
  assert.deepEqual(Object.keys(responses).slice(0, 3), ["200", "201", "202"]);
  assert.deepEqual(security, [{ bearer: ["transfers:write"] }]);
  assert.ok(parameters.some(({ $ref }: Document) => $ref === "#/components/parameters/IdempotencyKey"));
  const conflicts = document.components.responses[responses["422"].$ref.split("/").at(-1)];
  assert.deepEqual(conflicts.content["application/json"].schema.allOf[1].properties.error.properties.code.enum, [
    "DESTINATION_UNKNOWN",
    "IDEMPOTENCY_KEY_REUSED",
  ]);
  const { schemas } = document.components;
  const { sourceAccountId, memo, amount } = schemas.CreateTransferRequest.properties;
  assert.equal(sourceAccountId.format, "uuid");
  assert.equal(memo.maxLength, 140);
  assert.deepEqual(amount.required, ["currency", "minorUnits"]);
  assert.equal(amount.properties.currency.pattern, "^[A-Z]{3}$");
  const { pattern } = amount.properties.minorUnits;
  assert.deepEqual(
    ["-1", "0", "1", String(2n ** 63n)].map((text) => new RegExp(pattern).test(text)),
    [false, false, true, false],
  );
  assert.deepEqual(schemas.CreateTransferRequest.required, ["sourceAccountId", "destination", "amount"]);
  assert.equal(schemas.CreateTransferRequest.additionalProperties, false);
  assert.deepEqual(schemas.DestinationInput.oneOf, [{ required: ["accountId"] }, { required: ["bankAccount"] }]);
  assert.equal(schemas.CreateTransferResponse.properties.replayed, undefined);
  assert.equal(schemas.Money.additionalProperties, undefined);
});

test("streams, raw bodies and queries are told", () => {
  const watch = operationOf("TransferService_WatchTransfer");
  assert.deepEqual(Object.keys(watch.responses["200"].content), ["text/event-stream", "application/x-ndjson"]);
  const batch = operationOf("TransferBatchService_CreateTransferBatch");
  assert.deepEqual(Object.keys(batch.requestBody.content), ["application/json", "text/csv"]);
  const list = operationOf("TransferService_ListTransfers");
  const page = list.parameters.find(({ name }: Document) => name === "page_size");
  assert.deepEqual(
    { in: page.in, ...page.schema },
    { in: "query", type: "integer", format: "int32", minimum: 0, maximum: 200 },
  );
});

test("every example of a request keeps the rules of its contract", () => {
  let checked = 0;
  for (const { route } of plans) {
    const { rpc } = route;
    const operation = operations.find(({ operationId }) => operationId === `${rpc.parent.name}_${rpc.name}`);
    const example = operation?.requestBody?.content["application/json"]?.example;
    if (route.body !== "*") continue;
    assert.ok(example, `${rpc.name} has no example`);
    const ids = route.template.variables.map(({ fieldPath }) => {
      const parameter = operation!.parameters.find(({ name }: Document) => name === fieldPath);
      return [rpc.input.fields.find(({ name }) => name === fieldPath)!.jsonName, parameter.example];
    });
    compileRules(rpc.input, "json")(fromJson(rpc.input, { ...example, ...Object.fromEntries(ids) }));
    checked++;
  }
  assert.ok(checked > 20);
});

test("the catalogue is in it, whole, with meanings", () => {
  const { enum: codes, description } = document.components.schemas.Reason;
  assert.deepEqual(codes, [...catalogue.keys()]);
  for (const code of codes) assert.match(description, new RegExp(`- \`${code}\`: \\S`));
});

test("it is served plain, and not again to who has it", async () => {
  const answer = await app.inject("/openapi.json");
  assert.equal(answer.statusCode, 200);
  assert.match(String(answer.headers["content-type"]), /^application\/json/);
  assert.equal(answer.json().openapi, "3.1.0");
  const headers = { "if-none-match": String(answer.headers.etag) };
  assert.equal((await app.inject({ url: "/openapi.json", headers })).statusCode, 304);
  const wrong = await app.inject({ url: "/openapi.json", method: "POST" });
  assert.equal(wrong.statusCode, 405);
  assert.equal(wrong.headers.allow, "GET, HEAD, OPTIONS");
});
