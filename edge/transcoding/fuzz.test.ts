import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BadField, ContractError, compileRoutes } from "./index.ts";
import { arbitraryTemplate } from "./testing/arbitrary-template.ts";
import { contractOf } from "./testing/contracts.ts";

/** Runs something that may fail in the library's own words only. */
function guarded(what: () => void, Refusal: typeof BadField | typeof ContractError): boolean {
  try {
    what();
    return true;
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error instanceof Error ? error.stack : error));
    return false;
  }
}

const table = compileRoutes([
  contractOf([
    { name: "Get", rule: { get: "/v1/{a_string}/{a_int64}/{inner.color}" } },
    { name: "Rest", rule: { get: "/v1/{a_string=files/**}:stat" } },
    { name: "Post", rule: { post: "/v1/{w_timestamp}", body: "*" } },
    { name: "Inner", rule: { put: "/v1/{w_duration}/{a_bytes}", body: "inner" } },
    { name: "List", rule: { get: "/v1/list", additionalBindings: [{ patch: "/v1/any", body: "w_any" }] } },
    { name: "Upload", input: ".test.Upload", rule: { post: "/v1/files/{id}", body: "file" } },
  ]).service,
]);

/** Bytes as a server gets them in a request line: one character each. */
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((drawn) => Buffer.from(drawn).toString("latin1"));
const PIECES = ["/", "v1", "files", ":", "stat", "%", "%2F", "%00", "%ff", "*", "=", "&", "+", ".", "__proto__", "-1"];
const NAMES = ["aString", "a_int64", "inner.child.count", "wTimestamp", "colors", "choice", "text", "lDuration", "1e9"];
const pieces = fc.array(fc.oneof(fc.constantFrom(...PIECES, ...NAMES), bytes(3)), { maxLength: 24 });
const line = fc.oneof(
  bytes(60),
  pieces.map((drawn) => drawn.join("")),
);

const JSON_PIECES = ['{"', '":', "{", "}", "[", "]", ",", '"', "null", "1", '"@type"', "1e999", "\\u0000", "\\", "\n"];
const jsonPieces = fc.array(fc.oneof(fc.constantFrom(...JSON_PIECES, ...NAMES), bytes(2)), { maxLength: 30 });
const body = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  jsonPieces.map((drawn) => Buffer.from(drawn.join(""), "latin1")),
  fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  fc
    .dictionary(fc.constantFrom(...NAMES, "wAny", "wStruct", "counts"), fc.jsonValue())
    .map((json) => Buffer.from(JSON.stringify(json))),
);

test("no path, query or body is answered but by a message or a BadField", () => {
  let found = 0;
  fc.assert(
    fc.property(fc.constantFrom("GET", "POST", "PUT", "PATCH", "HEAD", "X"), line, (httpMethod, text) => {
      guarded(() => {
        const match = table.find(httpMethod, `/v1/${text}`);
        if (match === undefined || !("route" in match)) return;
        found++;
        match.route.readRequest({ segments: match.segments, query: "", body: undefined });
      }, BadField);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(found > 20, `${found} paths had a route`);
  for (const route of table.routes) {
    const segments = route.template.segments.map(({ kind }) => (kind === "literal" ? "files" : "1"));
    fc.assert(
      fc.property(line, body, fc.option(bytes(20), { nil: undefined }), (query, drawn, contentType) => {
        guarded(() => route.readRequest({ segments, query, body: undefined }), BadField);
        guarded(() => route.readRequest({ segments, query: "", body: drawn, contentType }), BadField);
      }),
      { numRuns: 300 },
    );
  }
});

test("a query as deep or as long as a request line can be is refused, or read, without harm", () => {
  const list = table.find("GET", "/v1/list");
  assert.ok(list !== undefined && "route" in list);
  const read = (query: string) => () => list.route.readRequest({ segments: list.segments, query, body: undefined });
  assert.equal(guarded(read(`inner.${"child.".repeat(5_000)}id=a`), BadField), false);
  assert.equal(guarded(read(`inner.${"child.".repeat(30)}id=a`), BadField), true);
  assert.equal(guarded(read(`inner.${"child.".repeat(31)}id=a`), BadField), false);
  assert.equal(guarded(read("numbers=1&".repeat(20_000)), BadField), true);
  assert.equal(
    guarded(() => table.find("GET", "/".repeat(16_000)), BadField),
    true,
  );
});

test("no rule is answered but by routes or a ContractError", () => {
  let served = 0;
  const GOOD = ["a_string", "maybe", "inner.id", "inner.child.id", "w_stringvalue"];
  const ODD = ["a_int32", "inner", "counts", "numbers", "text", "picked.id", "w_any", "x"];
  const templates = [GOOD, ODD].map((fields) => arbitraryTemplate(fields).map(({ text }) => text));
  const path = fc.oneof(line, templates[0]!, templates[0]!, templates[1]!);
  const names = fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("*", "inner", "text", "a_string", "numbers", "w_fieldmask", "aString", "x"),
    },
  );
  const verb = fc.constantFrom("get", "put", "post", "delete", "patch", "*", "PURGE", "V-C", "a b", "");
  const rule = fc
    .record({ verb, path, body: names, responseBody: names })
    .map(({ verb: kind, path: drawn, ...more }) =>
      /^[a-z]/.test(kind) && kind !== "a b" ? { [kind]: drawn, ...more } : { custom: { kind, path: drawn }, ...more },
    );
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 2 }), (rules) => {
      const rpcs = rules.map((drawn, at) => ({ name: `Rpc${at}`, rule: drawn }));
      if (guarded(() => compileRoutes([contractOf(rpcs).service]), ContractError)) served++;
    }),
    { numRuns: 300 },
  );
  assert.ok(served > 10, `${served} were served`);
});
