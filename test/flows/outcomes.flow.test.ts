// Every way that a transfer can go, through the edge with a plain HTTP client: the rows of the
// bank's table, and the refusals of the platform itself. At the end the books hold.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, type TestMember, toAccount, toBank } from "../support/client.ts";
import { makeOperator } from "../support/operator.ts";
import { Platform, waitFor } from "../support/platform.ts";

/** The bank's silence is noticed sooner than in local mode, and what it never answers waits sooner for an operator. */
const PATIENCE = { FERRY_BANK_TIMEOUT_MS: "500", FERRY_PARK_AFTER_MS: "15000" };

let platform: Platform;
let edge: EdgeCaller;
let payer: TestMember;
let account: string;

before(async () => {
  platform = await Platform.start({ environment: PATIENCE });
  edge = new EdgeCaller(platform.edge);
  payer = await edge.signUp();
  account = await edge.openAccount(payer.token);
  assert.equal((await edge.topUp(payer.token, account, "1000000")).state, "TOP_UP_STATE_COMPLETED");
});
after(() => platform.stop());

const transferOf = async (id: string) =>
  (await edge.expect(200, "GET", `/v1/transfers/${id}`, { token: payer.token })).transfer;

const rows: [digits: string, state: string, code?: string][] = [
  ["1234", "COMPLETED"],
  ["9404", "FAILED", "ACCOUNT_NOT_VERIFIED"],
  ["9409", "FAILED", "ACCOUNT_NOT_VERIFIED"],
  ["9402", "FAILED", "BANK_REFUSED"],
  ["9500", "COMPLETED"],
  ["9501", "COMPLETED"],
  ["9504", "COMPLETED"],
  ["9505", "COMPLETED"],
  ["9400", "COMPLETED"],
  ["9999", "PARKED", "BANK_OUTCOME_UNKNOWN"],
];

test("every row of the bank's table ends as it says, and the money is where it should be", async () => {
  await Promise.all(
    rows.map(async ([digits, state, code]) => {
      const from = await edge.openAccount(payer.token);
      await edge.topUp(payer.token, from, "1000");
      const accepted = await edge.transfer(payer.token, toBank(from, `220000${digits}`, "400"));
      // 201 when it has come to its end before its answer was read, 200 when the first answer did not come in time.
      assert.ok([200, 201, 202].includes(accepted.status), JSON.stringify(accepted.body));
      const { id } = accepted.body.data.transfer;
      const transfer = await waitFor(
        `${digits} to be ${state}`,
        async () => {
          const transfer = await transferOf(id);
          return /_(COMPLETED|FAILED|CANCELED|PARKED)$/.test(transfer.state) ? transfer : undefined;
        },
        90_000,
      );
      assert.equal(transfer.state, `TRANSFER_STATE_${state}`, `${digits}: ${JSON.stringify(transfer)}`);
      assert.equal(transfer.failure?.code, code, digits);
      const { balance, available } = await edge.balanceOf(payer.token, from);
      const expected = { COMPLETED: ["600", "600"], FAILED: ["1000", "1000"], PARKED: ["1000", "600"] }[state];
      assert.deepEqual([balance, available], expected, digits);
    }),
  );
});

/** What an operator has undone, of which the bank says nothing. */
let voidedId = "";
let operator = "";

test("an operator finds the parked transfer, and undoes it: not before the bank, which never answers, has said what it did", async () => {
  const email = `${randomUUID()}@example.com`;
  operator = await edge.logIn(email, await makeOperator(platform, email));
  const { sagas } = await edge.expect(200, "GET", "/v1/parked-sagas", { token: operator });
  assert.equal(sagas.length, 1);
  assert.equal(sagas[0].step, "send");
  voidedId = sagas[0].id;
  const look = async () => (await edge.expect(200, "GET", `/v1/sagas/${sagas[0].id}`, { token: operator })).saga;
  const parked = await look();
  assert.deepEqual(
    parked.steps.map(({ name, phase, state }: Record<string, string>) => `${name} ${phase} ${state}`),
    [
      ...["verify-account before-pivot done", "place-hold before-pivot done"],
      ...["send pivot unknown", "settle after-pivot pending"],
    ],
  );
  assert.deepEqual([parked.waits[0].for, parked.actions], ["operator", ["resume", "undo", "skip"]]);
  for (const path of ["/v1/parked-sagas", `/v1/sagas/${parked.id}`])
    await edge.expect(403, "GET", path, { token: payer.token });
  const ofPayments = await edge.expect(200, "GET", "/v1/parked-sagas?service=payment", { token: operator });
  assert.deepEqual(ofPayments.sagas, []);
  await edge.expect(200, "POST", `/v1/parked-sagas/${sagas[0].id}:undo`, {
    token: operator,
    body: { reason: "the bank says by telephone: nothing came" },
  });
  const voiding = await waitFor("the pivot's void to be sent again", async () => {
    const saga = await look();
    return saga.waits[0]?.role === "void" && saga.waits[0].for === "pause" ? saga : undefined;
  });
  assert.deepEqual([voiding.state, voiding.steps[1].state, voiding.steps[2].state], ["running", "done", "unknown"]);
  const [{ action, reason, operatorId }] = (await look()).audit;
  assert.deepEqual([action, reason], ["undo", "the bank says by telephone: nothing came"]);
  assert.match(operatorId, /^[0-9a-f-]{36}$/);
});

test("within the platform: waited for, 201, both balances moved, steps and times told", async () => {
  const payee = await edge.signUp();
  const target = await edge.openAccount(payee.token);
  const reply = await edge.transfer(
    payer.token,
    { ...toAccount(account, target, "250"), memo: "thanks" },
    { waitSeconds: 20 },
  );
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  const { transfer } = reply.body.data;
  assert.equal(transfer.state, "TRANSFER_STATE_COMPLETED");
  assert.equal(transfer.memo, "thanks");
  assert.deepEqual(
    transfer.steps.map((step: Record<string, unknown>) => [step.name, step.state, step.attempts]),
    [
      ["place-hold", "STEP_STATE_DONE", 1],
      ["settle", "STEP_STATE_DONE", 1],
    ],
  );
  assert.equal((await edge.balanceOf(payee.token, target)).balance, "250");
  const { entries } = await edge.expect(200, "GET", `/v1/accounts/${target}/entries`, { token: payee.token });
  assert.deepEqual(
    entries.map((entry: Record<string, Record<string, string>>) => [entry.reference, entry.amount?.minorUnits]),
    [[transfer.id, "250"]],
  );
});

test("too little money: recorded, FAILED with its reason, nothing moved", async () => {
  const poor = await edge.openAccount(payer.token);
  const reply = await edge.transfer(payer.token, toBank(poor, "2200001234", "1"), { waitSeconds: 20 });
  assert.equal(reply.status, 201);
  assert.equal(reply.body.data.transfer.state, "TRANSFER_STATE_FAILED");
  assert.equal(reply.body.data.transfer.failure.code, "INSUFFICIENT_BALANCE");
  assert.deepEqual(await edge.balanceOf(payer.token, poor), { balance: "0", available: "0" });
});

test("the whole balance spent twice at once: one wins", async () => {
  const from = await edge.openAccount(payer.token);
  await edge.topUp(payer.token, from, "500");
  const replies = await Promise.all(
    [1, 2].map(() => edge.transfer(payer.token, toBank(from, "2200001234", "500"), { waitSeconds: 20 })),
  );
  const states = replies.map(({ body }) => body.data.transfer.state).sort();
  assert.deepEqual(states, ["TRANSFER_STATE_COMPLETED", "TRANSFER_STATE_FAILED"]);
  assert.equal((await edge.balanceOf(payer.token, from)).balance, "0");
});

test("another's account, and none, answer alike, and nothing is recorded", async () => {
  const stranger = await edge.signUp();
  const replies = await Promise.all(
    [account, randomUUID()].map((id) => edge.transfer(stranger.token, toBank(id, "2200001234", "1"))),
  );
  assert.deepEqual(
    replies.map(({ status, body }) => [status, body.error.code]),
    [
      [404, "NOT_FOUND"],
      [404, "NOT_FOUND"],
    ],
  );
  await edge.expect(404, "GET", `/v1/accounts/${account}`, { token: stranger.token });
  assert.deepEqual((await edge.expect(200, "GET", "/v1/transfers", { token: stranger.token })).transfers, []);
});

const refusals: [what: string, change: (body: Record<string, unknown>) => void, status: number, code: string][] = [
  ["to itself", (body) => Object.assign(body, { destination: { accountId: account } }), 400, "SAME_ACCOUNT"],
  [
    "another currency",
    (body) => Object.assign(body, { amount: { currency: "USD", minorUnits: "1" } }),
    400,
    "CURRENCY_MISMATCH",
  ],
  [
    "an amount of zero",
    (body) => Object.assign(body, { amount: { currency: "EUR", minorUnits: "0" } }),
    400,
    "INVALID_REQUEST",
  ],
  [
    "a negative amount",
    (body) => Object.assign(body, { amount: { currency: "EUR", minorUnits: "-1" } }),
    400,
    "INVALID_REQUEST",
  ],
  [
    "an amount of 2^63",
    (body) => Object.assign(body, { amount: { currency: "EUR", minorUnits: "9223372036854775808" } }),
    400,
    "INVALID_REQUEST",
  ],
  [
    "an amount of 1e2",
    (body) => Object.assign(body, { amount: { currency: "EUR", minorUnits: "1e2" } }),
    400,
    "INVALID_REQUEST",
  ],
  ["a payer of one's choice", (body) => Object.assign(body, { memberId: randomUUID() }), 400, "INVALID_REQUEST"],
  ["no destination", (body) => delete body.destination, 400, "INVALID_REQUEST"],
];

for (const [what, change, status, code] of refusals)
  test(`refused: ${what}`, async () => {
    const body = toBank(account, "2200001234", "1") as unknown as Record<string, unknown>;
    change(body);
    const reply = await edge.insist("POST", "/v1/transfers", {
      token: payer.token,
      headers: { "idempotency-key": randomUUID() },
      body,
    });
    assert.deepEqual([reply.status, reply.body.error.code], [status, code], JSON.stringify(reply.body));
  });

test("the same key: the same transfer, also 50 times at once; with another body 422; without 400", async () => {
  const key = randomUUID();
  const body = toBank(account, "2200001234", "7");
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => edge.transfer(payer.token, body, { key, waitSeconds: 20 })),
  );
  assert.equal(new Set(replies.map((reply) => reply.body.data.transfer.id)).size, 1);
  assert.equal(replies.filter(({ status }) => status === 201).length, 1, replies.map(({ status }) => status).join());
  assert.equal(
    replies.filter(({ status, headers }) => status === 200 && headers.get("idempotency-replayed") === "true").length,
    49,
  );
  const other = await edge.transfer(payer.token, toBank(account, "2200001234", "8"), { key });
  assert.deepEqual([other.status, other.body.error.code], [422, "IDEMPOTENCY_KEY_REUSED"]);
  const without = await edge.call("POST", "/v1/transfers", { token: payer.token, body });
  assert.deepEqual([without.status, without.body.error.code], [400, "IDEMPOTENCY_KEY_INVALID"]);
});

test("a suspended member is refused at once, with a token from before; a replay is still answered", async () => {
  const email = `${randomUUID()}@example.com`;
  const operator = await edge.logIn(email, await makeOperator(platform, email));
  const member = await edge.signUp();
  const from = await edge.openAccount(member.token);
  await edge.topUp(member.token, from, "500");
  const accounts = () => edge.call("GET", "/v1/accounts", { token: member.token });
  /** Whoever serves them hears from member by a stream, some milliseconds later. */
  const answered = (status: number) => waitFor(`${status}`, async () => (await accounts()).status === status);
  const key = randomUUID();
  const body = toBank(from, "2200001234", "100");
  const first = await edge.transfer(member.token, body, { key, waitSeconds: 20 });
  assert.equal(first.status, 201);
  await edge.expect(200, "POST", `/v1/members/${member.id}:suspend`, { token: operator, body: { reason: "test" } });
  const refused = await edge.transfer(member.token, body);
  assert.deepEqual([refused.status, refused.body.error.code], [403, "MEMBER_SUSPENDED"]);
  await answered(403);
  const replay = await edge.transfer(member.token, body, { key });
  assert.deepEqual([replay.status, replay.body.data.transfer.id], [200, first.body.data.transfer.id]);
  await edge.expect(200, "POST", `/v1/members/${member.id}:reinstate`, { token: operator, body: { reason: "test" } });
  await answered(200);
  assert.equal((await edge.balanceOf(member.token, from)).balance, "400");
});

test("a top-up without mandate fails with its reason, and brings no money", async () => {
  const to = await edge.openAccount(payer.token);
  const topUp = await edge.topUp(payer.token, to, "500", { bankCode: "081", accountNumber: "2200001234" });
  assert.deepEqual([topUp.state, topUp.failure.code], ["TOP_UP_STATE_FAILED", "MANDATE_MISSING"]);
  assert.equal((await edge.balanceOf(payer.token, to)).balance, "0");
});

test("a transfer is taken back while it can be", async () => {
  const from = await edge.openAccount(payer.token);
  await edge.topUp(payer.token, from, "500");
  const id = await platform.whileFrozen("banking", async () => {
    const { id } = (await edge.transfer(payer.token, toBank(from, "2200009501", "100"))).body.data.transfer;
    await edge.expect(200, "POST", `/v1/transfers/${id}:cancel`, { token: payer.token, body: {} });
    return id;
  });
  await waitFor("its end", async () => (await transferOf(id)).state === "TRANSFER_STATE_CANCELED");
  const done = await edge.transfer(payer.token, toBank(from, "2200001234", "100"), { waitSeconds: 20 });
  const late = await edge.insist("POST", `/v1/transfers/${done.body.data.transfer.id}:cancel`, {
    token: payer.token,
    body: {},
  });
  assert.deepEqual([late.status, late.body.error.code], [409, "TRANSFER_NOT_CANCELABLE"]);
  assert.deepEqual(await edge.balanceOf(payer.token, from), { balance: "400", available: "400" });
});

test("what the bank never tells of is parked again, with its hold; the second undo goes by the operator's word, and the books hold", async () => {
  const look = () => transferOf(voidedId);
  await waitFor("the void to be given up", async () => (await look()).state === "TRANSFER_STATE_PARKED", 90_000);
  assert.equal((await look()).failure.code, "BANK_OUTCOME_UNKNOWN");
  await edge.expect(200, "POST", `/v1/parked-sagas/${voidedId}:undo`, {
    token: operator,
    body: { reason: "the bank says in writing: nothing came" },
  });
  await waitFor("the transfer to be undone", async () => (await look()).state === "TRANSFER_STATE_FAILED");
  const { findings, figures } = await booksOf(platform);
  assert.deepEqual(findings, []);
  assert.ok(figures.completed! >= 8, JSON.stringify(figures));
});
