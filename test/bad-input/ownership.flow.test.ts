// Every route of a whole platform with the ids of another member's: 404, as for one that does not exist, and nothing
// of it has changed. Then what money can be that nobody should send; more of that: test/flows/outcomes.flow.test.ts.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, FUNDING, type Reply, type TestMember, toAccount, toBank } from "../support/client.ts";
import { Platform } from "../support/platform.ts";
import { type Belongings, makeBelongings } from "./support/belongings.ts";
import { nameOf, openEdge, render, type Sample } from "./support/edge.ts";
import { type Place, placesOf, withValue } from "./support/places.ts";

/** Beyond what a double holds exactly. */
const ODD_AMOUNT = "9007199254740993";
/** Fields that may name what is another's: who is paid; and the lines of a batch, each of which has a result of its own. */
const OTHERS = /(^|\.)(merchantAccountId|destination\.accountId)$|^lines\[0\]\./;

let platform: Platform;
let edge: EdgeCaller;
let [stranger, victim]: TestMember[] = [];
let [strangers, victims]: Belongings[] = [];
let shop: { owner: TestMember; accountId: string };
let samples: Sample[];

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
  ({ samples } = await openEdge());
  const owner = await edge.signUp();
  shop = { owner, accountId: await edge.openAccount(owner.token) };
  [stranger, victim] = [await edge.signUp(), await edge.signUp()];
  strangers = await makeBelongings(edge, stranger, shop);
  victims = await makeBelongings(edge, victim, shop);
});
after(() => platform.stop());

const isId = ({ field }: Place) => field.name.endsWith("_id");

/** The places of a request that name something of the caller's. */
function ownPlaces({ plan, ...sample }: Sample): Place[] {
  if (plan.policy.auth === "public" || nameOf(plan) === "POST /v1/transfer-batches") return [];
  return placesOf({ plan, ...sample }).filter((place) => isId(place) && !OTHERS.test(place.path));
}

/** Calls a route with one's own ids in all places but one. */
function callWith({ plan, example }: Sample, token: string, ids: (place: Place) => string | undefined): Promise<Reply> {
  let request = example;
  for (const place of placesOf({ plan, example }).filter(isId)) {
    const given = OTHERS.test(place.path) ? shop.accountId : ids(place);
    if (given !== undefined) request = withValue(request, place, given);
  }
  const { method, url, payload } = render(plan, request);
  const body = payload === undefined ? {} : { body: JSON.parse(payload) };
  return edge.call(method, url, { token, headers: { "idempotency-key": randomUUID() }, ...body });
}

/** What the victim sees of all that it has; of webhooks, which go on by themselves, only that they are there. */
async function seenByVictim(): Promise<Map<string, unknown>> {
  const reads = samples.filter(
    (sample) =>
      sample.plan.route.httpMethod === "GET" &&
      sample.plan.route.rpc.methodKind === "unary" &&
      sample.plan.policy.auth === "member" &&
      ownPlaces(sample).length > 0,
  );
  const seen = new Map<string, unknown>();
  for (const sample of reads) {
    const { status, body } = await callWith(sample, victim!.token, ({ field }) => victims![field.name]);
    assert.equal(status, 200, `${nameOf(sample.plan)}: ${JSON.stringify(body)}`);
    seen.set(nameOf(sample.plan), nameOf(sample.plan).includes("webhook") ? status : body.data);
  }
  assert.ok(seen.size >= 10, `${seen.size} reads`);
  return seen;
}

test("every route with another's id answers as for one that does not exist, and changes nothing", async () => {
  const before = await seenByVictim();
  let [hidden, forbidden] = [0, 0];
  for (const sample of samples)
    for (const place of ownPlaces(sample)) {
      const name = `${nameOf(sample.plan)} ${place.path}`;
      assert.ok(victims![place.field.name], `nobody has a ${place.field.name}: say in belongings.ts how one is made`);
      const ask = (id: string) =>
        callWith(sample, stranger!.token, (one) => (one.path === place.path ? id : strangers![one.field.name]));
      const unknown = randomUUID();
      const [theirs, nobodys] = [await ask(victims![place.field.name]!), await ask(unknown)];
      const isOperators = sample.plan.policy.auth === "operator";
      const wanted = isOperators ? [403, "PERMISSION_DENIED"] : [404, "NOT_FOUND"];
      assert.deepEqual([theirs.status, theirs.body.error?.code], wanted, `${name}: ${JSON.stringify(theirs.body)}`);
      const told = ({ body }: Reply, id: string) => JSON.stringify(body.error).replaceAll(id, "ID");
      assert.equal(told(theirs, victims![place.field.name]!), told(nobodys, unknown), name);
      if (isOperators) forbidden++;
      else hidden++;
    }
  assert.ok(hidden >= 30 && forbidden >= 10, `${hidden} of members, ${forbidden} of operators`);
  assert.deepEqual(await seenByVictim(), before);
});

test("no list shows what is another's", async () => {
  const newcomer = await edge.signUp();
  const lists = samples.filter(
    ({ plan }) => plan.policy.auth === "member" && plan.route.httpMethod === "GET" && !nameOf(plan).includes("{"),
  );
  for (const { plan } of lists) {
    const { status, body } = await edge.call("GET", plan.route.template.source, { token: newcomer.token });
    assert.equal(status, 200, nameOf(plan));
    for (const id of [...Object.values(victims!), ...Object.values(strangers!)])
      assert.ok(!JSON.stringify(body.data).includes(id), `${nameOf(plan)} shows ${id}`);
  }
  assert.ok(lists.length >= 8, `${lists.length} lists`);
});

test("a batch from another's account pays nothing", async () => {
  const from = victims!.account_id!;
  const untouched = await edge.balanceOf(victim!.token, from);
  const lines = [
    { reference: "1", destination: { accountId: shop.accountId }, amount: { currency: "EUR", minorUnits: "1" } },
  ];
  const { body } = await edge.call("POST", "/v1/transfer-batches", {
    ...{ token: stranger!.token, headers: { "idempotency-key": randomUUID(), prefer: "wait=20" } },
    body: { sourceAccountId: from, lines },
  });
  const path = `/v1/transfer-batches/${body.data.batch.id}/lines`;
  const told = await edge.expect(200, "GET", path, { token: stranger!.token });
  assert.equal(told.lines[0].state, "TRANSFER_BATCH_LINE_STATE_FAILED", JSON.stringify(told));
  assert.deepEqual(await edge.balanceOf(victim!.token, from), untouched);
});

test("the same key of another member is another request", async () => {
  const key = randomUUID();
  const bodyOf = ({ account_id = "" }: Belongings) => toAccount(account_id, shop.accountId, "7");
  const mine = await edge.transfer(stranger!.token, bodyOf(strangers!), { key, waitSeconds: 20 });
  const theirs = await edge.transfer(victim!.token, bodyOf(victims!), { key, waitSeconds: 20 });
  assert.deepEqual([mine.status, theirs.status], [201, 201]);
  assert.notEqual(mine.body.data.transfer.id, theirs.body.data.transfer.id);
  assert.equal(theirs.headers.get("idempotency-replayed"), null);
});

test("amounts that no double holds come in, move, and go out exactly", async () => {
  const { token } = stranger!;
  const [from, to] = [await edge.openAccount(token), await edge.openAccount(token)];
  assert.equal((await edge.topUp(token, from, ODD_AMOUNT)).state, "TOP_UP_STATE_COMPLETED");
  assert.deepEqual(await edge.balanceOf(token, from), { balance: ODD_AMOUNT, available: ODD_AMOUNT });
  const moved = await edge.transfer(token, toAccount(from, to, ODD_AMOUNT), { waitSeconds: 20 });
  assert.deepEqual([moved.status, moved.body.data.transfer.amount.minorUnits], [201, ODD_AMOUNT]);
  assert.equal((await edge.balanceOf(token, to)).balance, ODD_AMOUNT);
  const sent = await edge.transfer(token, toBank(to, "2200001234", ODD_AMOUNT), { waitSeconds: 20 });
  assert.equal(sent.body.data.transfer.state, "TRANSFER_STATE_COMPLETED");
  assert.equal((await edge.balanceOf(token, to)).balance, "0");
});

const MONEY: [what: string, amount: object, code: string][] = [
  ["a currency that there is not", { currency: "ABC", minorUnits: "1" }, "CURRENCY_MISMATCH"],
  ["another currency than the account's", { currency: "USD", minorUnits: "1" }, "CURRENCY_MISMATCH"],
  ["no currency", { minorUnits: "1" }, "INVALID_REQUEST"],
  ["a currency in small letters", { currency: "eur", minorUnits: "1" }, "INVALID_REQUEST"],
  ...["0", "-1", "1.00", "1,00", "1e2", "NaN", "", "9223372036854775808", "-9223372036854775809"].map(
    (minorUnits): [string, object, string] => [
      `${minorUnits} cents`,
      { currency: "EUR", minorUnits },
      "INVALID_REQUEST",
    ],
  ),
  ...[1, 1.5, true, null, ["5"], {}].map((minorUnits): [string, object, string] => [
    ...([`${JSON.stringify(minorUnits)} cents`, { currency: "EUR", minorUnits }, "INVALID_REQUEST"] as const),
  ]),
];

test("no command takes an amount that is none, and nothing moves", async () => {
  const { token } = stranger!;
  const { account_id: accountId = "" } = strangers!;
  const untouched = await edge.balanceOf(token, accountId);
  const commands: [path: string, body: object][] = [
    ["/v1/transfers", { sourceAccountId: accountId, destination: { accountId: shop.accountId } }],
    ["/v1/payments", { sourceAccountId: accountId, merchantAccountId: shop.accountId }],
    ["/v1/top-ups", { accountId, bankAccount: FUNDING }],
  ];
  for (const [path, body] of commands)
    for (const [what, amount, code] of MONEY) {
      const headers = { "idempotency-key": randomUUID() };
      const reply = await edge.call("POST", path, { token, headers, body: { ...body, amount } });
      assert.deepEqual(
        [reply.status, reply.body.error?.code],
        [400, code],
        `${path}, ${what}: ${JSON.stringify(reply.body)}`,
      );
    }
  assert.deepEqual(await edge.balanceOf(token, accountId), untouched);
});

test("an account is opened in no currency that there is not", async () => {
  const open = (currency: string) => edge.call("POST", "/v1/accounts", { token: stranger!.token, body: { currency } });
  for (const [code, currencies] of [
    ["CURRENCY_UNKNOWN", ["ABC", "XTS", "XAU"]],
    ["INVALID_REQUEST", ["eur", "EURO", "E", ""]],
  ] as const)
    for (const currency of currencies) {
      const reply = await open(currency);
      assert.deepEqual([reply.status, reply.body.error?.code], [400, code], currency);
    }
});

test("a closed account neither pays nor is paid", async () => {
  const { token } = stranger!;
  const closed = await edge.openAccount(token);
  await edge.expect(200, "POST", `/v1/accounts/${closed}:close`, { token, body: {} });
  const from = await edge.transfer(token, toAccount(closed, shop.accountId, "1"));
  assert.deepEqual([from.status, from.body.error?.code], [400, "ACCOUNT_CLOSED"], JSON.stringify(from.body));
  const to = await edge.transfer(token, toAccount(strangers!.account_id!, closed, "1"));
  assert.deepEqual([to.status, to.body.error?.code], [400, "ACCOUNT_CLOSED"], JSON.stringify(to.body));
});

test("at the end the books hold", async () => {
  assert.deepEqual((await booksOf(platform)).findings, []);
});
