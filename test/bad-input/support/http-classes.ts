import { gzipSync } from "node:zlib";
import { bodyLimitOf } from "../../../edge/body-limit.ts";
import type { EdgePlan } from "../../../edge/routes.ts";
import { MAX_DEPTH } from "../../../edge/transcoding/index.ts";
import { type Rendered, render, type Sample } from "./edge.ts";

/** A request as `inject` takes it: a payload that is no text too. */
export type Request = Omit<Rendered, "payload" | "method"> & { method: string; payload?: string | Buffer | undefined };

/** A way in which an HTTP request can be wrong, made of a good request of any route. */
export interface HttpClass {
  what: string;
  status: number;
  code: string;
  /** The fields that the answer must name, all of them. */
  fields?: readonly string[];
  /** Default: every route. */
  when?: (plan: EdgePlan) => boolean;
  /** Headers that the answer must have. */
  headers?: Record<string, RegExp>;
  make(good: Rendered, sample: Sample): Partial<Request>;
}

/** Of the harness: what the edge allows where the contract says nothing. */
const MAX_BODY_BYTES = 65_536;
const takesBody = ({ route }: EdgePlan) => route.takesBody;
const takesNone = ({ route }: EdgePlan) => !route.takesBody;
const isPaged = ({ route }: EdgePlan) => route.rpc.input.fields.some(({ name }) => name === "page_size");
const hasVariable = ({ route }: EdgePlan) => route.template.variables.length > 0;
const needsKey = ({ policy }: EdgePlan) => policy.keyRequired;

/** A good JSON object with a text put in after its brace. */
const begun = ({ payload = "{}" }: Rendered, text: string) =>
  `{${text}${payload === "{}" ? "" : ","}${payload.slice(1)}`;
const withQuery = ({ url }: Rendered, query: string) => ({ url: `${url}${url.includes("?") ? "&" : "?"}${query}` });
const withHeader = ({ headers }: Rendered, more: Record<string, string>) => ({ headers: { ...headers, ...more } });
const tooLong = (plan: EdgePlan) => " ".repeat(bodyLimitOf(plan, MAX_BODY_BYTES) + 1);
const invalid = (what: string, make: HttpClass["make"], more: Partial<HttpClass> = {}): HttpClass => ({
  ...{ what, status: 400, code: "INVALID_REQUEST", make, ...more },
});
const refusedType = (what: string, make: HttpClass["make"], more: Partial<HttpClass> = {}): HttpClass => ({
  ...{ what, status: 415, code: "MEDIA_TYPE_UNSUPPORTED", when: takesBody, make, ...more },
});

const json: HttpClass[] = [
  ["an unknown field", '"noSuchField":1', ["noSuchField"]],
  ["a status of one's own", '"state":5', ["state"]],
  ["an identity of one's own", '"memberIdentity":"x","ownerId":"x"', ["memberIdentity"]],
  ["a field twice", '"x":1,"x":1', ["x"]],
  ["__proto__", '"__proto__":{"a":1}', ["__proto__"]],
  ["constructor", '"constructor":{}', ["constructor"]],
].map(([what, text, fields]) =>
  invalid(String(what), (good) => ({ payload: begun(good, String(text)) }), {
    ...{ when: takesBody, fields: fields as string[] },
  }),
);

const texts: HttpClass[] = (
  [
    ["nesting beyond the limit", `${'{"x":'.repeat(MAX_DEPTH + 1)}1${"}".repeat(MAX_DEPTH + 1)}`],
    ["nesting of thousands", '{"x":'.repeat(5_000)],
    ["lists in lists", "[".repeat(5_000)],
    ["half of an object", '{"x":'],
    ["half of a text", '{"x":"a'],
    ["an escape that is none", '{"x":"\\q"}'],
    ["half of an escape", '{"x":"\\u12'],
    ["NaN", '{"x":NaN}'],
    ["a comma too many", '{"x":1,}'],
    ["single quotes", "{'x':1}"],
    ["two objects", "{}{}"],
    ["a list", "[]"],
    ["null", "null"],
    ["a number", "1"],
    ["a byte order mark", "\ufeff{}"],
    ["a line break in a text", '{"x":"a\nb"}'],
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ["an overlong slash", Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
    ["half of a surrogate pair", Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
  ] as [string, string | Buffer][]
).map(([what, payload]) => invalid(what, () => ({ payload }), { when: takesBody }));

const bodies: HttpClass[] = [
  invalid("a body where none belongs", (good) => ({ ...withHeader(good, jsonType), payload: "{}" }), {
    when: takesNone,
  }),
  invalid("what is no gzip", (good) => ({ ...withHeader(good, { "content-encoding": "gzip" }), payload: "{}" }), {
    when: takesBody,
  }),
  invalid(
    "half of a gzip",
    (good) => ({
      ...withHeader(good, { "content-encoding": "gzip" }),
      payload: gzipSync(good.payload ?? "{}").subarray(0, -6),
    }),
    { when: takesBody },
  ),
  {
    ...{ what: "too long", status: 413, code: "BODY_TOO_LARGE", when: takesBody },
    make: (_good, { plan }) => ({ payload: tooLong(plan) }),
  },
  {
    ...{ what: "too long when unpacked", status: 413, code: "BODY_TOO_LARGE", when: takesBody },
    make: (good, { plan }) => ({
      ...withHeader(good, { "content-encoding": "gzip" }),
      payload: gzipSync(tooLong(plan)),
    }),
  },
];

const jsonType = { "content-type": "application/json" };

const types: HttpClass[] = [
  ...[
    "text/plain",
    "application/xml",
    "application/jsonp",
    "application/json; charset=latin1",
    "multipart/form-data",
  ].map((type) => refusedType(`the type ${type}`, (good) => withHeader(good, { "content-type": type }))),
  refusedType("no type", ({ headers, payload = "{}" }) => {
    const { "content-type": _type, ...others } = headers;
    return { headers: others, payload: Buffer.from(payload) };
  }),
  ...["br", "deflate", "gzip, gzip", "zstd"].map((coding) =>
    refusedType(`packed by ${coding}`, (good) => withHeader(good, { "content-encoding": coding }), {
      headers: { "accept-encoding": /gzip/ },
    }),
  ),
];

const targets: HttpClass[] = [
  invalid("an unknown parameter", (good) => withQuery(good, "noSuchParameter=1"), { fields: ["noSuchParameter"] }),
  invalid("a parameter without a name", (good) => withQuery(good, "=1")),
  invalid("half of an escape in the query", (good) => withQuery(good, "noSuchParameter=%f")),
  invalid("no UTF-8 in the query", (good) => withQuery(good, "noSuchParameter=%ff")),
  invalid("a page of a thousand millions", (good) => withQuery(good, "pageSize=1000000000"), pageOf("pageSize")),
  invalid("a page of fewer than none", (good) => withQuery(good, "pageSize=-1"), pageOf("pageSize")),
  invalid("a page size twice", (good) => withQuery(good, "pageSize=1&page_size=1"), pageOf("pageSize")),
  invalid(
    "a page token without an end",
    (good) => withQuery(good, `pageToken=${"a".repeat(1_025)}`),
    pageOf("pageToken"),
  ),
  ...["%ff", "%zz", "%", "%c0%af", "%ed%a0%80"].map((text) =>
    invalid(`a path with ${text}`, (_good, { plan }) => ({ url: pathWith(plan, text) }), { when: hasVariable }),
  ),
  ...["%00", "..%2f..%2fetc%2fpasswd", "'%20OR%201=1--", "%7B%7D", "a".repeat(2_000)].map((text) =>
    invalid(`an id like ${text.slice(0, 30)}`, (_good, { plan }) => ({ url: pathWith(plan, text) }), {
      when: hasVariable,
    }),
  ),
];

function pageOf(field: string): Partial<HttpClass> {
  return { when: isPaged, fields: [field] };
}

/** The path of a route with a text, as it is, in all of its variables. */
function pathWith({ route }: EdgePlan, text: string): string {
  return route.template.source.replaceAll(/\{[^}]*\}/g, () => text);
}

const keys: HttpClass[] = [
  ["empty", ""],
  ["of spaces", "   "],
  ["of 256 characters", "k".repeat(256)],
  ["not ASCII", "schlüssel"],
  ["with a tab", "a\tb"],
].map(([what = "", key = ""]) => ({
  ...{ what: `a key that is ${what}`, status: 400, code: "IDEMPOTENCY_KEY_INVALID", when: needsKey },
  make: (good) => withHeader(good, { "idempotency-key": key }),
}));

const others: HttpClass[] = [
  {
    ...{ what: "no key", status: 400, code: "IDEMPOTENCY_KEY_INVALID", when: needsKey },
    make: ({ headers }) => ({ headers: { "content-type": headers["content-type"]! } }),
  },
  invalid("a condition", (good) => withHeader(good, { "if-match": '"a"' }), {
    when: ({ route }) => route.httpMethod !== "GET",
  }),
];

/** All of them that one request in memory can be. */
export const httpClasses: readonly HttpClass[] = [
  ...json,
  ...texts,
  ...bodies,
  ...types,
  ...targets,
  ...keys,
  ...others,
];

/** The request of a class for a route. */
export function requestOf(one: HttpClass, sample: Sample): Request {
  const good = render(sample.plan, sample.example);
  return { ...good, ...one.make(good, sample) };
}
