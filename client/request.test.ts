import assert from "node:assert/strict";
import { test } from "node:test";
import type { RpcPlan } from "./calls.ts";
import { httpRequestOf } from "./request.ts";

const plan = (more: Partial<RpcPlan>): RpcPlan => ({
  ...{ httpMethod: "POST", path: "/v1/things", body: "*", withToken: true, deadlineMs: 1_000, retrySafe: true },
  ...more,
});
const make = (more: Partial<RpcPlan>, request: object, options = {}) =>
  httpRequestOf("https://api.example", plan(more), request, options);

test("fields of the path are encoded and not sent a second time", () => {
  const { url, body } = make({ path: "/v1/things/{id}:cancel" }, { id: "a/b c", reason: "x" });
  assert.equal(url, "https://api.example/v1/things/a%2Fb%20c:cancel");
  assert.equal(body, '{"reason":"x"}');
  const several = make({ path: "/v1/{+thing.name}" }, { thing: { name: "shelves/1 2", size: 3 } });
  assert.equal(several.url, "https://api.example/v1/shelves/1%202");
  assert.equal(several.body, '{"thing":{"size":3}}');
  assert.throws(() => make({ path: "/v1/things/{id}" }, {}), /id is missing/);
});

test("no value of a path leads to another one", () => {
  for (const id of [".", ".."]) assert.throws(() => make({ path: "/v1/things/{id}" }, { id }), /id cannot be/);
  for (const name of ["shelves/..", "../members", "a/./b"])
    assert.throws(() => make({ path: "/v1/{+name}" }, { name }), /name cannot be/);
  const { url } = make({ path: "/v1/things/{id}" }, { id: "...%2e" });
  assert.equal(new URL(url).pathname, "/v1/things/...%252e");
});

test("without a body the query says the rest: nested, repeated, exact, times", () => {
  const since = new Date("2026-01-02T03:04:05Z");
  const request = { pageSize: 5, states: ["A", "B"], amount: { minorUnits: 2n ** 60n }, since, none: undefined };
  const { url, body, headers } = make({ httpMethod: "GET", body: "" }, request);
  assert.equal(body, undefined);
  assert.equal(headers["content-type"], undefined);
  assert.deepEqual(
    [...new URL(url).searchParams],
    [
      ["pageSize", "5"],
      ["states", "A"],
      ["states", "B"],
      ["amount.minorUnits", "1152921504606846976"],
      ["since", "2026-01-02T03:04:05.000Z"],
    ],
  );
  assert.throws(() => make({ body: "" }, { list: [{ a: 1 }] }), /list has a value that a path or a query cannot say/);
});

test("a body of one field, whole bodies with 64-bit integers, and bodies of other types", () => {
  const one = make({ body: "thing" }, { thing: { size: 1 }, dry: true });
  assert.deepEqual([one.url, one.body], ["https://api.example/v1/things?dry=true", '{"size":1}']);
  assert.equal(make({}, { minorUnits: 9007199254740993n }).body, '{"minorUnits":"9007199254740993"}');
  const rawBody = { contentType: "text/csv", body: "a,b" };
  const raw = make({}, { mode: "M" }, { rawBody });
  assert.deepEqual([raw.url, raw.body], ["https://api.example/v1/things?mode=M", "a,b"]);
  assert.equal(raw.headers["content-type"], "text/csv");
});
