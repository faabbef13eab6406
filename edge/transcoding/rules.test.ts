import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createRegistry, type JsonObject, type Message } from "@bufbuild/protobuf";
import { anyPack, DurationSchema } from "@bufbuild/protobuf/wkt";
import { type HttpBody, HttpBodySchema } from "@ferry/gen/google/api/httpbody_pb.ts";
import { BadField, ContractError, compileRoutes, type OfferedRoute } from "./index.ts";
import { contractOf, type RpcText } from "./testing/contracts.ts";

const compiled = (...rpcs: RpcText[]) => compileRoutes([contractOf(rpcs).service]);

/** The problems of one rule, without file and rpc. */
function problemOf(rule: JsonObject, more: Partial<RpcText> = {}): string {
  try {
    compiled({ ...more, name: "Do", rule });
  } catch (error) {
    if (error instanceof ContractError)
      return error.problems.map((problem) => problem.split(": ").slice(2).join(": ")).join();
    throw error;
  }
  return "";
}

function found(table: ReturnType<typeof compiled>, httpMethod: string, path: string): OfferedRoute {
  const match = table.find(httpMethod, path);
  assert.ok(match !== undefined && "route" in match, `${httpMethod} ${path}`);
  return match.route;
}

test("a rule that leaves the method open gives way to one that names it, and HEAD to GET's", () => {
  const table = compiled(
    { name: "Any", rule: { custom: { kind: "*", path: "/v1/page" } } },
    { name: "Get", rule: { get: "/v1/page" } },
    {
      name: "Head",
      rule: { custom: { kind: "head", path: "/v1/{a_string}" }, additionalBindings: [{ get: "/v1/x" }] },
    },
    { name: "Change", rule: { custom: { kind: "*", path: "/v1/change" }, body: "*" } },
  );
  const names = (path: string, ...methods: string[]) =>
    methods.map((httpMethod) => {
      const match = table.find(httpMethod, path);
      if (match === undefined) return "none";
      return "allowed" in match ? match.allowed.join(" ") : match.route.rpc.name;
    });
  assert.deepEqual(names("/v1/page", "GET", "HEAD", "POST", "PATCH", "PURGE"), [
    "Get",
    "Get",
    "Any",
    "Any",
    "DELETE GET HEAD PATCH POST PUT",
  ]);
  assert.deepEqual(names("/v1/x", "HEAD", "GET"), ["Head", "Head"]);
  assert.deepEqual(names("/v1/y", "HEAD", "GET"), ["Head", "HEAD"]);
  assert.deepEqual(names("/v1/change", "GET", "PUT"), ["DELETE HEAD PATCH POST PUT", "Change"]);
  const twice = [{ name: "A" }, { name: "B" }].map(({ name }) => ({
    name,
    rule: { custom: { kind: "*", path: "/v1/a" } },
  }));
  assert.throws(() => compiled(...twice), /rpc test.TestService.B: claims GET \/v1\/a, as .*TestService.A does/);
});

test("templates that share paths, neither the more exact, are named with both rpcs", () => {
  const pair = (one: JsonObject, other: JsonObject) => compiled({ name: "A", rule: one }, { name: "B", rule: other });
  assert.throws(
    () => pair({ get: "/v1/{a_string}/latest" }, { get: "/v1/users/{a_string}" }),
    /TestService.B: GET \/v1\/users\/\* and \/v1\/\*\/latest of test\/everything.proto: rpc test.TestService.A have paths/,
  );
  assert.throws(() => pair({ get: "/v1/{a_string=a/**}" }, { custom: { kind: "*", path: "/v1/*/b" } }), ContractError);
  assert.throws(() => pair({ get: "/v1/%61/x" }, { get: "/v1/a/x" }), /claims GET/);
  pair({ get: "/v1/{a_string}/latest" }, { post: "/v1/users/{a_string}" });
  pair({ get: "/v1/{a_string}/latest" }, { get: "/v1/users/{a_string}:latest" });
});

test("what no request could ever fit is refused at start, in words", () => {
  const cases: [rule: JsonObject, problem: RegExp][] = [
    [{ get: "/v1/{a_int32=a/*}" }, /several segments, but is no string/],
    [{ get: "/v1/{a_bytes=**}" }, /several segments, but is no string/],
    [{ get: "/v1/{a_int32=abc}" }, /aInt32: must be a whole number/],
    [{ get: "/v1/{color=red}" }, /color: must be one of/],
    [{ get: "/v1/{text}/{picked.id}" }, /exclude each other/],
    [{ get: "/v1/{c_timestamp}/{text}" }, /exclude each other/],
    [{ get: "/v1/{w_any}" }, /is a message/],
    [{ get: "/v1/{w_struct}" }, /is a message/],
    [{ get: "/v1/{counts}" }, /is a map/],
    [{ post: "/v1/{a_string}", body: "a_string" }, /is in the body/],
    [{ post: "/v1/{text}", body: "picked" }, /exclude each other/],
    [{ post: "/v1/x", body: "aString" }, /body "aString" is no field/],
    [{ get: "/v1/x", responseBody: "aString" }, /response_body "aString" is no field/],
    [{ custom: { kind: "A B", path: "/v1/x" } }, /bad method/],
    [
      { get: "/v1/x", additionalBindings: [{ get: "/v1/y", additionalBindings: [{ get: "/v1/z" }] }] },
      /more of its own/,
    ],
    [{ get: "/v1/x", additionalBindings: [{ get: "/v1/{nothing}" }, { get: "/v1/{counts}" }] }, /no field.*is a map/],
  ];
  for (const [rule, problem] of cases) assert.match(problemOf(rule), problem, JSON.stringify(rule));
  const upload = { input: ".test.Upload" };
  assert.match(problemOf({ post: "/v1/{file.content_type}", body: "file" }, upload), /is in the body/);
  assert.match(problemOf({ post: "/v1/{content_type}", body: "*" }, { input: ".google.api.HttpBody" }), /is the body/);
  for (const rule of [
    { get: "/v1/{color=COLOR_RED}" },
    { get: "/v1/{a_string=a/b}" },
    { get: "/v1/{w_stringvalue=**}" },
  ])
    assert.equal(problemOf(rule), "");
});

test("a google.api.HttpBody takes any body as it comes, with its type, and path and query say the rest", () => {
  const file = found(
    compiled({ name: "Up", input: ".test.Upload", rule: { post: "/v1/files/{id}", body: "file" } }),
    "POST",
    "/v1/files/7",
  );
  assert.deepEqual([file.takesBody, file.bodyForm], [true, "any"]);
  const parts = { segments: ["v1", "files", "7"], query: "note=a+b" };
  const data = Uint8Array.of(0, 255, 10);
  type Upload = Message & { id: string; note: string; file?: HttpBody };
  const upload = file.readRequest({ ...parts, body: data, contentType: "image/png; x=y" }) as Upload;
  assert.deepEqual([upload.id, upload.note], ["7", "a b"]);
  assert.deepEqual([upload.file?.contentType, upload.file?.data], ["image/png; x=y", data]);
  assert.equal((file.readRequest({ ...parts, body: undefined }) as Upload).file, undefined);
  assert.throws(() => file.readRequest({ ...parts, query: "file.data=AA==", body: undefined }), { field: "file.data" });
  assert.throws(() => file.readRequest({ ...parts, body: data, contentType: "a\0b" }), BadField);

  const whole = compiled({ name: "Up", input: ".google.api.HttpBody", rule: { put: "/v1/raw", body: "*" } });
  const raw = found(whole, "PUT", "/v1/raw").readRequest({ segments: [], query: "", body: data, contentType: "a/b" });
  assert.deepEqual([(raw as HttpBody).contentType, (raw as HttpBody).data], ["a/b", data]);
  const asQuery = compiled({ name: "Get", input: ".google.api.HttpBody", rule: { get: "/v1/raw" } });
  const said = found(asQuery, "GET", "/v1/raw").readRequest({ segments: [], query: "data=AAE%3D", body: undefined });
  assert.deepEqual((said as HttpBody).data, Uint8Array.of(0, 1));
});

test("an answer is the whole message, a field of it, or content as it is", () => {
  const { everything, registry } = contractOf();
  const answered = (responseBody: string, output?: string) =>
    compiled({ name: "Get", rule: { get: "/v1/x", responseBody }, ...(output === undefined ? {} : { output }) })
      .routes[0]!;
  const message = create(everything, { aInt64: 7n, numbers: [1] } as never);
  assert.equal(JSON.parse(answered("").writeAnswer(message)).aInt64, "7");
  assert.equal(answered("a_int64").writeAnswer(message), '"7"');
  assert.equal(answered("numbers").writeAnswer(message), "[1]");
  assert.equal(answered("counts").writeAnswer(message), "{}");
  assert.equal(answered("inner").writeAnswer(message), "null");
  assert.equal(answered("").answerForm, "json");

  const body = create(HttpBodySchema, { contentType: "text/html", data: Buffer.from("<p>") });
  const whole = answered("", ".google.api.HttpBody");
  assert.equal(whole.answerForm, "any");
  assert.equal(whole.httpBodyOf(body), body);
  const field = answered("file", ".test.Download");
  const download = registry.getMessage("test.Download")!;
  assert.equal(field.answerForm, "any");
  assert.equal(field.httpBodyOf(create(download, { file: body } as never)).contentType, "text/html");
  assert.equal(field.httpBodyOf(create(download)).data.length, 0);
});

test("an Any may hold what the contracts' files and their imports say, or what the caller says", () => {
  const rpcs: RpcText[] = [{ name: "Post", rule: { post: "/v1/x", body: "*" } }];
  const { service, everything } = contractOf(rpcs);
  const [route] = compileRoutes([service]).routes;
  const text = '{"wAny":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}';
  const parts = { segments: ["v1", "x"], query: "", body: Buffer.from(text) };
  const message = route!.readRequest(parts);
  assert.equal(JSON.parse(route!.writeAnswer(message)).wAny.value, "1s");
  const held = anyPack(DurationSchema, create(DurationSchema, { seconds: 1n }));
  assert.deepEqual((message as unknown as { wAny: Message }).wAny, held);
  const [closed] = compileRoutes([service], { registry: createRegistry(everything) }).routes;
  assert.throws(() => closed!.readRequest(parts), { field: "wAny.@type" });
});
