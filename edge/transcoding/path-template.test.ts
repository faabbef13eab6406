import assert from "node:assert/strict";
import { test } from "node:test";
import { areAmbiguous, parsePathTemplate, shapeOf } from "./path-template.ts";

test("templates are taken apart by the grammar of google.api.http", () => {
  const cases: [source: string, shape: string, variables: string[]][] = [
    ["/v1/transfers", "/v1/transfers", []],
    ["/v1/sessions:refresh", "/v1/sessions:refresh", []],
    ["/v1/transfers/{transfer_id}", "/v1/transfers/*", ["transfer_id 2-3"]],
    ["/v1/transfers/{transfer_id}:cancel", "/v1/transfers/*:cancel", ["transfer_id 2-3"]],
    ["/v1/{name=shelves/*/books/*}", "/v1/shelves/*/books/*", ["name 1-5 multiple"]],
    ["/v1/{a.b}/x/{c=*}", "/v1/*/x/*", ["a.b 1-2", "c 3-4"]],
    ["/v1/{rest=**}:go", "/v1/**:go", ["rest 1- multiple"]],
    ["/v1/{rest=files/**}", "/v1/files/**", ["rest 1- multiple"]],
    ["/v1/*/**", "/v1/*/**", []],
  ];
  for (const [source, shape, expected] of cases) {
    const template = parsePathTemplate(source);
    assert.equal(shapeOf(template), shape, source);
    const variables = template.variables.map(
      ({ fieldPath, from, to, multiple }) => `${fieldPath} ${from}-${to ?? ""}${multiple ? " multiple" : ""}`,
    );
    assert.deepEqual(variables, expected, source);
  }
});

test("templates that cannot be served are refused in words", () => {
  const bad = ["", "v1", "/", "/v1//x", "/v1/", "/v1/{", "/v1/{}", "/v1/{a", "/v1/a}", "/v1/{a=}", "/v1/{a b}"];
  for (const source of [
    ...bad,
    "/v1/x{a}",
    "/v1/**/x",
    "/v1/{a=**}/x",
    "/v1/x:",
    "/v1/a?b",
    "/v1/{a={b}}",
    "/v1/{1a}",
    "/v1/***",
    "/v1/a*",
    "/v1/%ff",
    "/v1/%2",
    "/v1/a:%ff",
    "/v1/a:b:c",
  ])
    assert.throws(() => parsePathTemplate(source), /path /, source);
});

test("templates are ambiguous when they share paths and neither is the more exact", () => {
  const cases: [one: string, other: string, ambiguous: boolean][] = [
    ["/a/*", "/*/b", true],
    ["/a/*", "/*/*", false],
    ["/a/b", "/a/*", false],
    ["/a/*", "/b/*", false],
    ["/a/*", "/a/*/c", false],
    ["/a/**", "/*/b", true],
    ["/a/**", "/**", false],
    ["/a/**", "/a/*", false],
    ["/a/**", "/a", false],
    ["/*/**", "/a/**", false],
    ["/*/b/**", "/a/**", true],
    ["/*/b/c", "/a/**", true],
    ["/*/b:go", "/a/*", false],
    ["/*/b:go", "/a/*:go", true],
    ["/{x=a/*}", "/*/{y}", false],
    ["/%61/*", "/a/*", false],
  ];
  for (const [one, other, ambiguous] of cases) {
    const [left, right] = [parsePathTemplate(one), parsePathTemplate(other)];
    assert.equal(areAmbiguous(left, right), ambiguous, `${one} and ${other}`);
    assert.equal(areAmbiguous(right, left), ambiguous, `${other} and ${one}`);
  }
});
