import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createRegistry, type DescFile, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import { file_ferry_options_v1_options } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { file_google_api_annotations } from "@ferry/gen/google/api/annotations_pb.ts";
import { file_google_api_httpbody } from "@ferry/gen/google/api/httpbody_pb.ts";
import { clientFiles } from "./index.ts";

const IMPORTS = [
  file_google_api_annotations,
  file_google_api_httpbody,
  file_ferry_options_v1_options,
  file_google_protobuf_timestamp,
];

type RpcText = { name: string; rule: JsonObject; policy?: JsonObject; output?: string; stream?: boolean };

const field = (name: string, number: number, more: JsonObject): JsonObject => ({
  ...{ name, number, jsonName: name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) },
  ...{ label: "LABEL_OPTIONAL", ...more },
});

const MESSAGES: JsonObject[] = [
  {
    name: "AskRequest",
    field: [
      field("shelf_name", 1, { type: "TYPE_STRING" }),
      field("count", 2, { type: "TYPE_INT64" }),
      field("text", 3, { type: "TYPE_STRING", oneofIndex: 0 }),
      field("since", 4, { type: "TYPE_MESSAGE", typeName: ".google.protobuf.Timestamp", oneofIndex: 0 }),
      field("inner", 5, { type: "TYPE_MESSAGE", typeName: ".ferry.shelf.v1.Book" }),
    ],
    oneofDecl: [{ name: "kind" }],
  },
  {
    name: "AskResponse",
    field: [
      field("book", 1, { type: "TYPE_MESSAGE", typeName: ".ferry.shelf.v1.Book" }),
      field("again", 2, { type: "TYPE_BOOL" }),
    ],
  },
  {
    name: "Book",
    field: [
      field("pages", 1, { type: "TYPE_INT64" }),
      field("part_of", 2, { type: "TYPE_MESSAGE", typeName: ".ferry.shelf.v1.Book" }),
      field("times", 3, {
        ...{ type: "TYPE_MESSAGE", typeName: ".google.protobuf.Timestamp", label: "LABEL_REPEATED" },
      }),
    ],
  },
];

/** The generated files for a contract of one service. */
function generate(rpcs: readonly RpcText[]): Map<string, string> {
  const method = rpcs.map(({ name, rule, policy = {}, output = "ferry.shelf.v1.AskResponse", stream = false }) => ({
    ...{ name, inputType: ".ferry.shelf.v1.AskRequest", outputType: `.${output}`, serverStreaming: stream },
    options: {
      "[google.api.http]": rule,
      "[ferry.options.v1.method]": { auth: "AUTH_MEMBER", deadlineMs: 1_000, ...policy },
    },
  }));
  const json = {
    ...{ name: "ferry/shelf/v1/shelf.proto", package: "ferry.shelf.v1", syntax: "proto3" },
    dependency: IMPORTS.map(({ proto }) => proto.name),
    messageType: MESSAGES,
    service: [{ name: "BookShelfService", method }],
  };
  const registry = createRegistry(file_google_api_annotations, file_ferry_options_v1_options);
  const protos = new Map<string, DescFile["proto"]>();
  const add = (desc: DescFile): void => {
    desc.dependencies.forEach(add);
    protos.set(desc.proto.name, desc.proto);
  };
  IMPORTS.forEach(add);
  const file = [...protos.values(), fromJson(FileDescriptorProtoSchema, json, { registry })];
  return clientFiles(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })));
}

const textOf = (rpcs: readonly RpcText[], name = "shelf-v1.ts") => generate(rpcs).get(name) ?? "";
const planOf = (rpc: RpcText) => {
  const text = textOf([rpc], "client.ts");
  return JSON.parse(/ {4}\w+: (\{.*\}),\n/.exec(text)?.[1] ?? "null");
};

test("a request and an answer of the same message have types of their own", () => {
  const text = textOf([{ name: "Ask", rule: { post: "/v1/ask", body: "*" } }]);
  assert.match(text, /export interface Book \{\n {2}pages: string;\n {2}partOf\?: Book;\n {2}times: string\[\];\n\}/);
  assert.match(
    text,
    /BookInput \{\n {2}pages\?: Int64Input;\n {2}partOf\?: BookInput;\n {2}times\?: readonly TimeInput\[\];/,
  );
  assert.match(
    text,
    /AskResponse \{\n {2}book: Book;\n {2}again: boolean;\n\}/,
    "the one message that is asked for is there",
  );
  assert.match(text, /shelfName\?: string;/);
  assert.match(
    text,
    /\{ text: string; since\?: never \} \| \{ text\?: never; since: TimeInput \} \| \{ text\?: never; since\?: never \}/,
  );
  assert.match(text, /export interface BookShelfCalls \{[\s\S]*ask: Call<AskRequest, AskResponse>;/);
});

test("what the path is made of must be given", () => {
  const text = textOf([{ name: "Ask", rule: { get: "/v1/{shelf_name=shelves/*}" } }]);
  assert.match(text, /shelfName: string;/);
});

test("plans say path, body and policy as the runtime needs them", () => {
  const rule = { get: "/v1/{shelf_name=shelves/*}/{inner.pages}:ask" };
  assert.equal(planOf({ name: "Ask", rule }).path, "/v1/{+shelfName}/{inner.pages}:ask");
  assert.equal(planOf({ name: "Ask", rule: { get: "/v1/{shelf_name=*}" } }).path, "/v1/{shelfName}");
  const custom = planOf({ name: "Ask", rule: { custom: { kind: "PURGE", path: "/v1/x" } } });
  assert.deepEqual([custom.httpMethod, custom.body], ["PURGE", ""]);
  const keyed = { idempotencyKey: "IDEMPOTENCY_KEY_REQUIRED", retry: "RETRY_SAFE", maxWaitMs: 5_000 };
  const rpc = { name: "Ask", rule: { put: "/v1/x", body: "inner" }, policy: keyed };
  assert.deepEqual(planOf(rpc), {
    ...{ httpMethod: "PUT", path: "/v1/x", body: "inner", withToken: true, deadlineMs: 1_000, retrySafe: true },
    keyRequired: true,
  });
  assert.match(textOf([rpc]), /Call<AskRequest, AskResponse, CallOptions & WithKey & WithWait>/);
  assert.equal(planOf({ name: "Ask", rule: { get: "/v1/x" }, policy: { auth: "AUTH_PUBLIC" } }).withToken, false);
});

test("answers that are a field, no JSON, or a stream; the field that tells a replay is left out", () => {
  const answers = (more: Partial<RpcText>) => textOf([{ name: "Ask", rule: { get: "/v1/x" }, ...more }]);
  assert.match(answers({ rule: { get: "/v1/x", responseBody: "book" } }), /ask: Call<AskRequest, Book>;/);
  assert.match(answers({ output: "google.api.HttpBody" }), /ask: Call<AskRequest, RawAnswer>;/);
  assert.match(answers({ stream: true }), /ask: StreamCall<AskRequest, AskResponse>;/);
  const replayed = answers({ policy: { responseStatus: { replayedField: "again" } } });
  assert.match(replayed, /AskResponse \{\n {2}book: Book;\n\}/);
});

test("rpcs between services, and without a route, are not offered", () => {
  const shown = { name: "Ask", rule: { get: "/v1/x" } };
  const inner = { name: "Inner", rule: { get: "/v1/y" }, policy: { auth: "AUTH_SERVICE" } };
  assert.doesNotMatch(textOf([shown, inner]), /inner:|Inner/);
  assert.throws(
    () => generate([{ name: "Ask", rule: { get: "/v1/*" } }]),
    /BookShelfService.Ask: a path with a bare wildcard/,
  );
});
