// Every field with every value that breaks its rules, in binary protobuf through Connect: JSON's readers see none of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, fromJson, type JsonObject, type JsonValue, ScalarType, toBinary } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { bodyLimitOf } from "../../edge/body-limit.ts";
import { brokenRulesOf, isNeeded } from "./support/broken-rules.ts";
import { openEdge, type Sample } from "./support/edge.ts";
import { type Place, placesOf, without, withValue } from "./support/places.ts";

const edge = await openEdge();
const all = edge.samples
  .filter(({ plan }) => plan.route.rpc.methodKind === "unary")
  .map((sample) => ({ sample, places: placesOf(sample) }));
const MAX_BODY_BYTES = 65_536;

/** Asks through Connect. @returns The answer's code, reason and fields; undefined when it was taken. */
async function refusalOf({ plan }: Sample, payload: Uint8Array) {
  const { rpc } = plan.route;
  const answer = await edge.app.inject({
    method: "POST",
    url: `/${rpc.parent.typeName}/${rpc.name}`,
    headers: { authorization: edge.bearerFor(plan), "idempotency-key": "k", "content-type": "application/proto" },
    payload: Buffer.from(payload),
  });
  if (answer.statusCode === 200) return undefined;
  const { code, details = [] } = answer.json() as { code: string; details?: { type: string; value: string }[] };
  const bytesOf = (type: string) =>
    Buffer.from(details.find((one) => one.type === `google.rpc.${type}`)?.value ?? "", "base64");
  const { fieldViolations } = fromBinary(BadRequestSchema, bytesOf("BadRequest"));
  const { reason } = fromBinary(ErrorInfoSchema, bytesOf("ErrorInfo"));
  return { code, reason, fields: fieldViolations.map(({ field }) => field) };
}

const binaryOf = ({ plan }: Sample, request: JsonObject) =>
  toBinary(plan.route.rpc.input, fromJson(plan.route.rpc.input, request));

async function refused(sample: Sample, payload: Uint8Array, field: string | undefined, what: string): Promise<void> {
  const told = await refusalOf(sample, payload);
  assert.deepEqual(
    [told?.code, told?.reason],
    ["invalid_argument", "INVALID_REQUEST"],
    `${what} ${JSON.stringify(told)}`,
  );
  if (field !== undefined) assert.ok(told?.fields.includes(field), `${what} names ${JSON.stringify(told?.fields)}`);
  assert.deepEqual(edge.seen.splice(0), [], what);
}

const whatOf = ({ plan }: Sample, { path }: Place, value?: string) =>
  `${plan.route.rpc.name} ${path}${value === undefined ? "" : ` ${value.slice(0, 60)}`}`;

test("every request is taken in binary", async () => {
  for (const { sample } of all)
    assert.equal(await refusalOf(sample, binaryOf(sample, sample.example)), undefined, sample.plan.route.rpc.name);
  assert.equal(new Set(edge.seen.splice(0).map(({ rpc }) => rpc)).size >= 55, true);
});

test("no field takes what its rules refuse, nor may it be absent where it is needed", async () => {
  let [broken, absent] = [0, 0];
  for (const { sample, places } of all)
    for (const place of places.filter(({ ruled }) => ruled)) {
      for (const bad of brokenRulesOf(place.field)) {
        if (bad.json.length > bodyLimitOf(sample.plan, MAX_BODY_BYTES) / 2) continue; // Too large before it is wrong.
        const request = withValue(sample.example, place, JSON.parse(bad.json) as JsonValue);
        const field = `${place.path}${bad.inside ?? ""}`;
        await refused(sample, binaryOf(sample, request), field, whatOf(sample, place, bad.json));
        broken++;
      }
      if (!isNeeded(place.field)) continue;
      await refused(sample, binaryOf(sample, without(sample.example, place)), place.path, whatOf(sample, place));
      absent++;
    }
  assert.ok(broken >= 900 && absent >= 80, `${broken} broken, ${absent} absent`);
});

/** Six bytes of a text, to be found in what is written. */
const MARK = "\u2021\u2021";

/** Puts other bytes in the place of the mark. */
function spoilt(payload: Uint8Array, bytes: readonly number[]): Uint8Array {
  const at = Buffer.from(payload).indexOf(MARK);
  assert.ok(at >= 0);
  return Buffer.concat([payload.subarray(0, at), Buffer.from(bytes), payload.subarray(at + 6)]);
}

test("no text takes NUL, nor bytes that are no UTF-8", async () => {
  let tried = 0;
  const bytes = [
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
    [0xc0, 0x80, 0x61, 0x61, 0x61, 0x61],
    [0x61, 0x61, 0x61, 0x61, 0xe2, 0x80],
    [0x61, 0x61, 0x00, 0x61, 0x61, 0x61],
  ];
  for (const { sample, places } of all)
    for (const place of places.filter(({ field }) => field.scalar === ScalarType.STRING)) {
      const value = place.field.fieldKind === "list" ? [MARK] : MARK;
      const payload = binaryOf(sample, withValue(sample.example, place, value));
      for (const odd of bytes) {
        await refused(sample, spoilt(payload, odd), undefined, whatOf(sample, place, odd.join()));
        tried++;
      }
    }
  assert.ok(tried >= 500, `${tried} texts`);
});

test("no enum takes a number that it has not", async () => {
  let tried = 0;
  for (const { sample, places } of all)
    for (const place of places.filter(({ field, ruled }) => ruled && field.enum !== undefined)) {
      for (const number of [9_999, -1]) {
        const request = withValue(sample.example, place, place.field.fieldKind === "list" ? [number] : number);
        await refused(sample, binaryOf(sample, request), place.path, whatOf(sample, place, String(number)));
      }
      tried++;
    }
  assert.ok(tried >= 5, `${tried} enums`);
});

test("what is no message of the contract is refused", async () => {
  for (const { sample } of all)
    for (const bytes of [[0x0a, 0xff], [0xff, 0xff, 0xff], [0x0a], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]])
      await refused(sample, Buffer.from(bytes), undefined, `${sample.plan.route.rpc.name} ${bytes}`);
});
