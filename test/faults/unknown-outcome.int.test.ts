// F33: what a bank can do to whoever asks it: it does its work and answers with nothing, with half an answer, too
// late, with 5xx, with what is no JSON, a byte at a time; or it is not there at all.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { waitFor } from "../support/platform.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { type House, startHouse } from "./house.ts";

let house: House;
let proxy: TcpProxy;
before(async () => {
  house = await startHouse({
    async bankUrl(url) {
      proxy = await TcpProxy.start({ port: Number(new URL(url).port) });
      return proxy.through(url);
    },
  });
});
after(async () => {
  await house.stop();
  await proxy.close();
});
afterEach(async () => {
  proxy.lighten();
  proxy.refusing = false;
  await control({});
});

async function control(faults: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${house.bankControl}/control/faults`, {
    method: "PUT",
    headers,
    body: JSON.stringify(faults),
  });
  assert.ok(response.ok, `${response.status}`);
}

async function sendAll(digits: readonly string[], each: number): Promise<string[]> {
  const payer = await house.open(1_000_000n);
  const all = digits.flatMap((ends) => Array.from({ length: each }, () => house.send(payer, ends, 7n)));
  return (await Promise.all(all)).map(({ transfer }) => transfer!.id);
}

test("F33 every row of the bank's table: refused or done as it says, and done once", async () => {
  const refused = await sendAll(["9404", "9409", "9402"], 5);
  const done = await sendAll(["0000", "9500", "9501", "9504", "9505", "9400"], 5);
  assert.deepEqual(await house.ended(refused), { FAILED: 15 });
  assert.deepEqual(await house.ended(done, 60_000), { COMPLETED: 30 });
  await house.expectMoneyRight();
});

test("F33 the bank pays, and its answer is cut off: banking asks by the reference, and nothing is paid twice or given back", async () => {
  const ids: string[] = [];
  const before = proxy.counts.cuts;
  for (let round = 0; round < 5; round++) {
    const cut = proxy.cutOnce({ direction: "up", when: (bytes) => bytes.includes("POST /v1/payments"), deliver: true });
    ids.push(...(await sendAll(["1234"], 4)));
    await cut;
  }
  assert.equal(proxy.counts.cuts - before, 5, "the fault did not bite");
  assert.deepEqual(await house.ended(ids), { COMPLETED: 20 });
  const inquiries = await house.databases.banking.query("SELECT id FROM bank_call WHERE operation = 'inquire'");
  assert.ok(inquiries.length >= 5, "the outcome was asked for");
  await house.expectMoneyRight();
});

test("F33 no answer of the bank comes through for a while: what was asked is asked again, and paid once", async () => {
  const lost = async () => {
    const calls = "SELECT count(*) AS n FROM bank_call WHERE outcome IN ('unavailable', 'unknown')";
    return (await house.databases.banking.query<{ n: bigint }>(calls))[0]!.n;
  };
  const before = await lost();
  proxy.darken("down");
  const dark = await sendAll(["1234", "4321"], 10);
  await waitFor("answers to be missed", async () => (await lost()) >= before + 20n);
  proxy.lighten();
  assert.deepEqual(await house.ended(dark, 60_000), { COMPLETED: 20 });
  await house.expectMoneyRight();
});

test("F33 errors of three of four requests, then silence, then nobody there, then well again: all end, the breaker closes by itself", async () => {
  const failed = async () => {
    const calls = "SELECT count(*) AS n FROM bank_call WHERE outcome IN ('unavailable', 'unknown')";
    return (await house.databases.banking.query<{ n: bigint }>(calls))[0]!.n;
  };
  const ids: string[] = [];
  for (const trouble of [{ errorRate: 0.75 }, { silence: true }, { refuseConnections: true }]) {
    const before = await failed();
    await control(trouble);
    ids.push(...(await sendAll(["1234"], 12)));
    await waitFor(`${JSON.stringify(trouble)} to bite`, async () => (await failed()) >= before + 4n);
  }
  await control({});
  const states = await house.ended(ids, 60_000);
  const { COMPLETED = 0, FAILED = 0 } = states;
  assert.equal(COMPLETED + FAILED, 36, JSON.stringify(states));
  assert.ok(COMPLETED > 0, "none came through");
  // A breaker may stay open for longer than an account's verification is tried: the first to come may be refused.
  await waitFor(
    "the breaker to close",
    async () => (await house.ended(await sendAll(["1234"], 1))).COMPLETED === 1,
    90_000,
  );
  assert.deepEqual(await house.ended(await sendAll(["1234"], 5)), { COMPLETED: 5 }, "and now all is well");
  await house.expectMoneyRight();
});

test("F33 a bank that never says anything: parked with its reason, the money held, nothing lost", async () => {
  const own = await startHouse({ parkAfterMs: 1_500 });
  try {
    const payer = await own.open(100n);
    const { transfer } = await own.send(payer, "9999", 60n);
    assert.deepEqual(await own.ended([transfer!.id]), { PARKED: 1 });
    const second = await own.send(payer, "1234", 60n);
    assert.deepEqual(await own.ended([second.transfer!.id]), { FAILED: 1 }, "what is held cannot be spent");
    await own.expectMoneyRight();
  } finally {
    await own.stop();
  }
});
