import assert from "node:assert/strict";
import { test } from "node:test";
import { clone, create, type DescField, equals, type JsonObject, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { hasCustomJsonRepresentation } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { ContractError, compileRoutes, findFieldPath, type OfferedRoute, type Segment, setFromTexts } from "./index.ts";
import { arbitraryMessage } from "./testing/arbitrary-message.ts";
import { arbitraryTemplate, arbitraryValues } from "./testing/arbitrary-template.ts";
import { contractOf } from "./testing/contracts.ts";

const { everything } = contractOf();
const FIELDS = ["a_string", "maybe", "inner.id", "inner.child.id", "w_stringvalue"];

const tableOf = (rule: JsonObject) => compileRoutes([contractOf([{ name: "Do", rule }]).service]);

/** What a server makes of the request that a client makes of a message. */
function roundTrip(table: ReturnType<typeof tableOf>, httpMethod: string, message: Message): Message {
  const [route] = table.routes;
  const { path, query, body, contentType } = route!.renderRequest(message);
  const found = table.find(httpMethod, path);
  assert.ok(found !== undefined && "route" in found, `${path} has no route`);
  return found.route.readRequest({ segments: found.segments, query, body, contentType });
}

test("a template gives back the values that it was rendered with", () => {
  const drawn = arbitraryTemplate(FIELDS).chain(({ text, parts }) =>
    arbitraryValues(parts).map((values) => ({ text, values })),
  );
  fc.assert(
    fc.property(drawn, ({ text, values }) => {
      const message = create(everything);
      for (const [field, value] of Object.entries(values))
        setFromTexts(message, findFieldPath(everything, field)!, [value]);
      assert.ok(equals(everything, roundTrip(tableOf({ get: text }), "GET", message), message));
    }),
    { numRuns: 150 },
  );
});

test("requests are written as the specification says", () => {
  const written = (rule: JsonObject, init: object) => {
    const { path, query, body } = tableOf(rule).routes[0]!.renderRequest(create(everything, init as never));
    return [path, query, body === undefined ? undefined : Buffer.from(body).toString()];
  };
  const text = "a-_.~/!'()*%2F\u00e9 ";
  const single = "/v1/a-_.~%2F%21%27%28%29%2A%252F%C3%A9%20:go";
  assert.deepEqual(written({ get: "/v1/{a_string}:go" }, { aString: text }), [single, "", undefined]);
  const several = "/v1/a-_.~/%21%27%28%29%2A%252F%C3%A9%20";
  assert.deepEqual(written({ get: "/v1/{a_string=**}" }, { aString: text }), [several, "", undefined]);
  const init = {
    aString: "s",
    inner: { count: 7n },
    colors: [1, 2],
    wDuration: { seconds: 1n },
    aBytes: Buffer.from([255]),
  };
  const query = "aBytes=%2Fw%3D%3D&inner.count=7&colors=COLOR_RED&colors=COLOR_BLUE&wDuration=1s";
  assert.deepEqual(written({ get: "/v1/*/{a_string}/**" }, init), ["/v1/-/s", query, undefined]);
  assert.deepEqual(written({ put: "/v1/{a_string}", body: "inner" }, { aString: "s", inner: { count: 7n } }), [
    "/v1/s",
    "",
    '{"count":"7"}',
  ]);
  assert.throws(() => written({ get: "/v1/{a_string}" }, {}), /a_string is "", which "\/v1\/\{a_string\}" cannot say/);
  assert.throws(() => written({ get: "/v1/{a_string=a/*}" }, { aString: "b/c" }), /cannot say/);
});

/** Takes out what no query can say: maps, lists of messages, free JSON, and messages without a field that is set. */
function sayable(message: ReflectMessage): void {
  const free = (field: DescField) =>
    ["Any", "Struct", "Value", "ListValue"].includes(field.message?.typeName.replace("google.protobuf.", "") ?? "");
  for (const field of message.desc.fields) {
    const isPlain = field.message !== undefined && !hasCustomJsonRepresentation(field.message);
    if (field.fieldKind === "map" || free(field) || (field.fieldKind === "list" && isPlain)) message.clear(field);
    else if (field.fieldKind === "message" && isPlain && message.isSet(field)) {
      const inner = message.get(field) as ReflectMessage;
      sayable(inner);
      if (!inner.desc.fields.some((step) => inner.isSet(step))) message.clear(field);
    }
  }
}

test("a query says a message as it is", () => {
  const table = tableOf({ get: "/v1/list" });
  fc.assert(
    fc.property(arbitraryMessage(everything, 3), (message) => {
      const said = clone(everything, message);
      sayable(reflect(everything, said));
      assert.ok(equals(everything, roundTrip(table, "GET", said), said));
    }),
    { numRuns: 150 },
  );
});

test("what no query can say is refused rather than left out", () => {
  const [route] = tableOf({ get: "/v1/list" }).routes;
  const render = (init: object) => route!.renderRequest(create(everything, init as never));
  assert.throws(() => render({ counts: { a: 1n } }), /counts is a map/);
  assert.throws(() => render({ inners: [{}] }), /inners is a message/);
  assert.throws(() => render({ wStruct: { a: 1 } }), /wStruct is a message/);
});

test("path and body together say a message as it is", () => {
  const whole = tableOf({ post: "/v1/{inner.id}/x/{a_int64}", body: "*" });
  const field = tableOf({ put: "/v1/{inner.id}", body: "inner" });
  fc.assert(
    fc.property(arbitraryMessage(everything, 3), fc.string({ minLength: 1 }), (message, id) => {
      fc.pre(!id.includes("\0"));
      const named = clone(everything, message);
      setFromTexts(named, findFieldPath(everything, "inner.id")!, [id]);
      assert.ok(equals(everything, roundTrip(whole, "POST", named), named));
      const said = clone(everything, named);
      sayable(reflect(everything, said));
      assert.ok(equals(everything, roundTrip(field, "PUT", said), said));
    }),
    { numRuns: 100 },
  );
});

/** Whether a template has a path, by the definition and nothing else. */
function matches({ template }: OfferedRoute, path: string): boolean {
  const walk = (at: number, parts: readonly string[]): boolean => {
    const segment = template.segments[at];
    if (segment === undefined) return parts.length === 0;
    if (segment.kind === "rest") return true;
    const [first, ...others] = parts;
    if (first === undefined) return false;
    return (segment.kind === "literal" ? first === segment.text : first !== "") && walk(at + 1, others);
  };
  return template.verb === "" && walk(0, path.slice(1).split("/"));
}

/** A text for a part of a template that no narrower part would take. */
const sampleOf = (part: Segment) => (part.kind === "literal" ? part.text : part.kind === "one" ? "c" : "c/c/c/c/c");

test("of all templates that have a path the most exact is found, in whatever order they were declared", () => {
  // Templates are made of one path, by opening some of its segments, so that most of them have it.
  const parts = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
  const drawn = parts.chain((path) => {
    const opened = fc.tuple(...path.map((text) => fc.constantFrom(text, text, "*", "a")), fc.nat(2 * path.length));
    const template = opened.map((drawnParts) => {
      const [cut, ...segments] = drawnParts.toReversed() as [number, ...string[]];
      return `/${(cut < path.length ? [...segments.toReversed().slice(0, cut), "**"] : segments.toReversed()).join("/")}`;
    });
    return fc.record({ path: fc.constant(path), texts: fc.uniqueArray(template, { minLength: 2, maxLength: 4 }) });
  });
  let served = 0;
  fc.assert(
    fc.property(drawn, ({ path, texts }) => {
      const rpcs = texts.map((get, at) => ({ name: `Rpc${at}`, rule: { get } }));
      const compile = (list: typeof rpcs) => compileRoutes([contractOf(list).service]);
      let tables: ReturnType<typeof compile>[];
      try {
        tables = [compile(rpcs), compile(rpcs.toReversed())];
      } catch (error) {
        assert.ok(error instanceof ContractError);
        return;
      }
      const target = `/${path.join("/")}`;
      const [found, reversed] = tables.map((table) => table.find("GET", target));
      const candidates = tables[0]!.routes.filter((route) => matches(route, target));
      assert.equal(found === undefined, candidates.length === 0);
      if (found === undefined || !("route" in found) || reversed === undefined || !("route" in reversed)) return;
      assert.equal(found.route.template.source, reversed.route.template.source);
      if (candidates.length > 1) served++;
      // None of the others is more exact: as they are not ambiguous, it is so exactly when one of its paths is not theirs.
      const sample = found.route.template.segments.map(sampleOf).join("/");
      for (const other of candidates) assert.ok(matches(other, `/${sample}`), `${other.template.source} is more exact`);
    }),
    { numRuns: 300 },
  );
  assert.ok(served > 20, `${served} paths had several templates`);
});
