import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { compileRoutes, nameOf } from "./compile.ts";
import { BadField, ContractError } from "./errors.ts";
import { contractOf, type RpcText } from "./testing/contracts.ts";

const compiled = (...rpcs: RpcText[]) => compileRoutes([contractOf(rpcs).service]);

function problemsOf(...rpcs: RpcText[]): readonly string[] {
  try {
    compiled(...rpcs);
  } catch (error) {
    if (error instanceof ContractError) return error.problems;
    throw error;
  }
  return [];
}

type Fields = Record<string, unknown>;

/** The request that a table makes of method, target and body. */
function requestOf(table: ReturnType<typeof compiled>, httpMethod: string, target: string, body?: string): Fields {
  const [path = "", query = ""] = target.split("?");
  const found = table.find(httpMethod, path);
  if (found === undefined || !("route" in found)) throw new Error(`${target} has no route`);
  const bytes = body === undefined ? undefined : Buffer.from(body);
  return found.route.readRequest({ segments: found.segments, query, body: bytes }) as unknown as Record<
    string,
    unknown
  >;
}

test("conflicts and rules that cannot be served are named together, with file and rpc", () => {
  const problems = problemsOf(
    { name: "One", rule: { get: "/v1/things/{a_string}" } },
    { name: "Two", rule: { get: "/v1/things/{text}" } },
    { name: "Three", rule: { get: "/v1/nothing/{nothing}" } },
    { name: "Four", rule: { get: "/v1/lists/{numbers}" } },
    { name: "Five", rule: { get: "/v1/inner/{inner}" } },
    { name: "Six", rule: { post: "/v1/six", body: "nothing" } },
    { name: "Seven", rule: { get: "/v1/seven", body: "*" } },
    { name: "Eight", rule: { get: "/v1/eight" }, clientStreaming: true },
    { name: "Nine", rule: { get: "/v1/{a_string}/{a_string}" } },
    { name: "Ten", rule: { get: "/v1/ten", responseBody: "nothing" } },
    { name: "Eleven", rule: { get: "eleven" } },
    { name: "Twelve", rule: { body: "*" } },
    { name: "Fine", rule: { get: "/v1/fine" } },
    { name: "Internal" },
  );
  assert.equal(problems.length, 11);
  const where = "test/everything.proto: rpc test.TestService.";
  for (const problem of problems) assert.ok(problem.startsWith(where), problem);
  const conflict = [`${where}Two: claims GET`, "/v1/things/*, as", `${where}One does`].join(" ");
  assert.ok(problems.includes(conflict));
});

test("an rpc without a rule has no route", () => {
  const table = compiled({ name: "Open", rule: { get: "/v1/open" } }, { name: "Internal" });
  assert.deepEqual(
    table.routes.map(({ rpc }) => nameOf(rpc)),
    ["test/everything.proto: rpc test.TestService.Open"],
  );
  assert.equal(table.find("POST", "/test.TestService/Internal"), undefined);
});

test("the more exact template goes first, and what is left over is told as allowed methods", () => {
  const table = compiled(
    { name: "Me", rule: { get: "/v1/members/me" } },
    { name: "One", rule: { get: "/v1/members/{a_string}", additionalBindings: [{ put: "/v1/members/{a_string}" }] } },
    { name: "Suspend", rule: { post: "/v1/members/{a_string}:suspend", body: "*" } },
    { name: "Rest", rule: { get: "/v1/{a_string=**}" } },
    { name: "Book", rule: { get: "/v2/{a_string=shelves/*/books/*}" } },
    { name: "Any", rule: { custom: { kind: "*", path: "/v3/any" } } },
    { name: "Purge", rule: { custom: { kind: "PURGE", path: "/v3/any/it" } } },
  );
  const rpcOf = (method: string, path: string) => {
    const found = table.find(method, path);
    if (found === undefined) return "none";
    return "allowed" in found ? found.allowed.join(" ") : found.route.rpc.name;
  };
  assert.equal(rpcOf("GET", "/v1/members/me"), "Me");
  assert.equal(rpcOf("GET", "/v1/members/%6De"), "Me");
  assert.equal(rpcOf("GET", "/v1/members/you"), "One");
  assert.equal(rpcOf("PUT", "/v1/members/me"), "One");
  assert.equal(rpcOf("POST", "/v1/members/you:suspend"), "Suspend");
  assert.equal(rpcOf("POST", "/v1/members/a:b:suspend"), "Suspend");
  assert.equal(rpcOf("GET", "/v1/members/you:suspend"), "POST");
  assert.equal(rpcOf("GET", "/v1/members/you%3Asuspend"), "One");
  assert.equal(rpcOf("GET", "/v1/members/you/more"), "Rest");
  assert.equal(rpcOf("GET", "/v1/members/"), "Rest");
  assert.equal(rpcOf("DELETE", "/v1/members/you"), "GET PUT");
  assert.equal(rpcOf("GET", "/v2/shelves/1/books/2"), "Book");
  assert.equal(rpcOf("GET", "/v2/shelves/1/books/"), "none");
  assert.equal(rpcOf("GET", "/v2/shelves//books/2"), "none");
  assert.equal(rpcOf("PATCH", "/v3/any"), "Any");
  assert.equal(rpcOf("PURGE", "/v3/any/it"), "Purge");
  assert.equal(rpcOf("GET", "v1/members/me"), "none");
});

test("values of the path are decoded by the rules for one and for several segments", () => {
  const table = compiled(
    { name: "One", rule: { get: "/one/{a_string}/{a_int64}" } },
    { name: "Nested", rule: { get: "/nested/{inner.child.id}/{color}" } },
    { name: "Several", rule: { get: "/several/{a_string=a/*/b/*}" } },
    { name: "Rest", rule: { get: "/rest/{a_string=**}" } },
  );
  assert.equal(requestOf(table, "GET", "/one/a%2Fb%20c+d/12").aString, "a/b c+d");
  assert.equal(requestOf(table, "GET", "/several/a/x%2Fy/b/%C3%A9").aString, "a/x%2Fy/b/é");
  assert.equal(requestOf(table, "GET", "/rest/x//y%2fz").aString, "x//y%2fz");
  assert.equal(requestOf(table, "GET", "/rest").aString, "");
  const nested = requestOf(table, "GET", "/nested/x/2") as { inner: { child: { id: string } }; color: number };
  assert.deepEqual([nested.inner.child.id, nested.color], ["x", 2]);
  const bad = ["/one/a/1e2", "/one/a/9223372036854775808", "/one/%00/1", "/one/%ff/1", "/one/%zz/1", "/nested/x/9"];
  for (const target of bad) assert.throws(() => requestOf(table, "GET", target), BadField, target);
});

test("a query says scalars, enums, lists and nested fields, each once and strictly", () => {
  const table = compiled({ name: "List", rule: { get: "/v1/list/{a_string}" } });
  const request = requestOf(
    table,
    "GET",
    "/v1/list/x?aInt32=-5&big_numbers=1&big_numbers=2&color=COLOR_RED&colors=2&inner.child.count=9007199254740993" +
      "&aBool=true&aDouble=1e3&aBytes=AQI%3D&wTimestamp=2026-01-31T12:00:00Z&wInt64value=7&text=a+b%26c&maybe=",
  ) as Fields & { inner: { child: { count: bigint } } };
  assert.equal(request.aInt32, -5);
  assert.deepEqual(request.bigNumbers, [1n, 2n]);
  assert.deepEqual([request.color, request.colors], [1, [2]]);
  assert.equal(request.inner.child.count, 9007199254740993n);
  assert.deepEqual([request.aBool, request.aDouble, request.aBytes], [true, 1000, Uint8Array.of(1, 2)]);
  assert.equal((request.wTimestamp as { seconds: bigint }).seconds, 1769860800n);
  assert.deepEqual([request.wInt64value, request.choice], [7n, { case: "text", value: "a b&c" }]);
  assert.equal(request.maybe, "");

  const bad: [query: string, field: string][] = [
    ["nothing=1", "nothing"],
    ["aString=y", "aString"],
    ["aInt32=1&a_int32=1", "aInt32"],
    ["aInt32=1&aInt32=1", "aInt32"],
    ["aInt32=1e9", "aInt32"],
    ["aInt32=", "aInt32"],
    ["aInt32=99999999999", "aInt32"],
    ["aInt64=1.0", "aInt64"],
    ["aBool=1", "aBool"],
    ["aBool=TRUE", "aBool"],
    ["color=RED", "color"],
    ["color=7", "color"],
    ["inner=x", "inner"],
    ["inners.id=x", "inners.id"],
    ["counts=x", "counts"],
    ["wStruct=x", "wStruct"],
    ["text=a&picked.id=b", "picked.id"],
    ["maybe=%00", "maybe"],
    ["maybe=%", ""],
    ["=x", ""],
    ["__proto__=x", "__proto__"],
  ];
  for (const [query, field] of bad)
    assert.throws(() => requestOf(table, "GET", `/v1/list/x?${query}`), { name: "BadField", field }, query);
});

test("a body is all fields, one field or nothing, as the rule says", () => {
  const rule = (more: JsonObject) => ({ post: "/v1/x/{a_string}", ...more });
  const all = compiled({ name: "All", rule: rule({ body: "*" }) });
  assert.equal(requestOf(all, "POST", "/v1/x/a", '{"aInt32":1}').aInt32, 1);
  assert.equal(requestOf(all, "POST", "/v1/x/a").aString, "a");
  assert.throws(() => requestOf(all, "POST", "/v1/x/a", '{"a_string":"b"}'), { field: "aString" });
  assert.throws(() => requestOf(all, "POST", "/v1/x/a?aInt32=1", "{}"), { field: "aInt32" });
  assert.throws(() => requestOf(all, "POST", "/v1/x/a", "[]"), BadField);

  const one = compiled({ name: "One", rule: rule({ body: "inner" }) });
  const request = requestOf(one, "POST", "/v1/x/a?aInt32=1", '{"id":"i"}') as { inner: { id: string }; aInt32: number };
  assert.deepEqual([request.inner.id, request.aInt32], ["i", 1]);
  assert.throws(() => requestOf(one, "POST", "/v1/x/a?inner.id=x", "{}"), { field: "inner.id" });
  assert.throws(() => requestOf(one, "POST", "/v1/x/a", '{"nothing":1}'), { field: "inner.nothing" });

  const list = compiled({ name: "List", rule: rule({ body: "numbers" }) });
  assert.deepEqual(requestOf(list, "POST", "/v1/x/a", "[1,2]").numbers, [1, 2]);

  const none = compiled({ name: "None", rule: rule({}) });
  assert.equal(requestOf(none, "POST", "/v1/x/a?aInt32=3").aInt32, 3);
  assert.throws(() => requestOf(none, "POST", "/v1/x/a", "{}"), /takes no body/);
});
