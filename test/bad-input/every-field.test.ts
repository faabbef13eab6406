// Every field of every request with every bad value, by its type and by its rules: 400, the field named, nothing called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { exampleValue } from "../../edge/openapi/examples.ts";
import { isRequiredOneof } from "../../edge/openapi/field-rules.ts";
import { type BadValue, badValuesOf } from "./support/bad-values.ts";
import { brokenRulesOf, isNeeded } from "./support/broken-rules.ts";
import {
  assertRefused,
  MARK,
  nameOf,
  openEdge,
  refusalOf,
  render,
  type Sample,
  type Spoilt,
  send,
} from "./support/edge.ts";
import { type Place, placesOf, valueAt, without, withValue } from "./support/places.ts";

const edge = await openEdge();
const all = edge.samples.map((sample) => ({ sample, places: placesOf(sample) }));
const LARGEST_BYTES = 65_536;

/** Sends a request that is wrong in one place, and holds that the answer names it. */
async function refused({ plan }: Sample, request: JsonObject, field: string, spoilt?: Spoilt): Promise<void> {
  const rendered = render(plan, request, spoilt);
  const what = `${nameOf(plan)} ${field}: ${(spoilt?.text ?? spoilt?.json ?? "absent").slice(0, 60)}`;
  const fields = assertRefused(refusalOf(await send(edge, plan, rendered)), 400, "INVALID_REQUEST", what);
  assert.ok(fields.includes(field), `${what} names ${JSON.stringify(fields)}`);
  assert.deepEqual(edge.seen.splice(0), [], what);
}

/** Those that the place can say, and that are not too large before they are wrong. */
function sayable({ where }: Place, bad: BadValue, { plan }: Sample): boolean {
  if (where === "body") return bad.json.length < Math.max(plan.maxBodyBytes, LARGEST_BYTES) - 1_000;
  // No part of a path is empty; and an empty parameter of a text is a text that is empty.
  return bad.text !== undefined && !(where === "path" && bad.text === "");
}

async function tryAll(valuesOf: (place: Place) => BadValue[]): Promise<{ cases: number; fields: number }> {
  let [cases, fields] = [0, 0];
  for (const { sample, places } of all)
    for (const place of places) {
      const values = valuesOf(place).filter((bad) => sayable(place, bad, sample));
      const request = withValue(sample.example, place, MARK);
      for (const bad of values) await refused(sample, request, `${place.path}${bad.inside ?? ""}`, bad);
      cases += values.length;
      fields += values.length > 0 ? 1 : 0;
    }
  return { cases, fields };
}

test("every field takes a good value, so that what is refused is refused for the bad one", async () => {
  let tried = 0;
  for (const { sample, places } of all)
    for (const place of places) {
      const value = exampleValue(place.field);
      if (value === undefined || place.path === "service") continue;
      const rendered = render(sample.plan, withValue(sample.example, place, value));
      const answer = await send(edge, sample.plan, rendered);
      const what = `${nameOf(sample.plan)} ${place.path} ${JSON.stringify(value)}: ${answer.body}`;
      assert.ok(answer.statusCode < 300, what);
      assert.ok(edge.seen.splice(0).length > 0, what);
      tried++;
    }
  assert.ok(tried >= 150, `${tried} fields`);
});

test("no field takes what is not of its type", async () => {
  const { cases, fields } = await tryAll(({ field }) => badValuesOf(field));
  assert.ok(cases >= 1_100 && fields >= 150, `${cases} cases, ${fields} fields`);
});

test("no field takes what its rules refuse", async () => {
  const { cases, fields } = await tryAll(({ field, ruled }) => (ruled ? brokenRulesOf(field) : []));
  assert.ok(cases >= 850 && fields >= 120, `${cases} cases, ${fields} fields`);
});

test("what is needed may not be absent", async () => {
  let tried = 0;
  for (const { sample, places } of all)
    for (const place of places.filter(({ field, where, ruled }) => ruled && where !== "path" && isNeeded(field))) {
      await refused(sample, without(sample.example, place), place.path);
      tried++;
    }
  assert.ok(tried >= 40, `${tried} fields`);
});

test("of fields that exclude each other two are refused, and none where one is needed", async () => {
  let tried = 0;
  for (const { sample, places } of all)
    for (const place of places) {
      const { oneof } = place.field;
      if (oneof === undefined || place.field === oneof.fields[0]) continue;
      const [first] = oneof.fields;
      const request = JSON.stringify(withValue(sample.example, place, MARK));
      const other = `${JSON.stringify(MARK)},"${first!.jsonName}":${JSON.stringify(exampleValue(first!))}`;
      const value = JSON.stringify(exampleValue(place.field));
      const both = JSON.parse(request.replace(JSON.stringify(MARK), () => other.replace(JSON.stringify(MARK), value)));
      const prefix = place.path.slice(0, place.path.length - place.field.jsonName.length);
      await refused(sample, both, `${prefix}${first!.jsonName}`);
      if (place.ruled && isRequiredOneof(oneof))
        await refused(sample, without(sample.example, place), `${prefix}${oneof.name}`);
      tried++;
    }
  assert.ok(tried >= 2, `${tried} oneofs`);
});

test("numbers that no double holds arrive exactly", async () => {
  let tried = 0;
  for (const { sample, places } of all)
    for (const place of places.filter(({ field }) => field.scalar === ScalarType.INT64 && field.fieldKind !== "list")) {
      await arrivesExactly(sample, place);
      tried++;
    }
  assert.ok(tried >= 5, `${tried} fields`);
});

async function arrivesExactly({ plan, example }: Sample, place: Place): Promise<void> {
  for (const number of ["9007199254740993", "9223372036854775807"]) {
    const answer = await send(edge, plan, render(plan, withValue(example, place, number)));
    assert.ok(answer.statusCode < 300, `${nameOf(plan)} ${place.path}: ${answer.body}`);
    assert.equal(valueAt(edge.seen.splice(0)[0]!.request, place), BigInt(number), `${nameOf(plan)} ${place.path}`);
  }
}
