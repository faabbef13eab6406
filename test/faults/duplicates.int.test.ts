// F8 and F9: everything that was ever said on the bus is said again, at any time and in another order.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { deadLetterTopic, type OutgoingRecord, type ReceivedRecord } from "@ferry/platform/events";
import { createRandom } from "../prove/random.ts";
import { waitFor } from "../support/platform.ts";
import { type House, startHouse } from "./house.ts";

const TOPICS = ["ferry.ledger.commands.v1", "ferry.banking.commands.v1", "ferry.transfer.replies.v1"];

let house: House;
before(async () => {
  house = await startHouse();
});
after(() => house.stop());
// What is known is answered again: a message that had to be put aside was not understood.
afterEach(() => {
  for (const topic of TOPICS) assert.deepEqual(house.bus.records(deadLetterTopic(topic)), [], "dead letters");
});

const again = ({ topic, key, value, headers }: ReceivedRecord): OutgoingRecord => ({
  ...{ topic, headers },
  key: key ?? "",
  value: value ?? new Uint8Array(),
});
const recorded = () => TOPICS.flatMap((topic) => house.bus.records(topic));

/** What three services hold of money and of what was asked at the bank. */
async function effects(): Promise<string> {
  const { ledger, transfer, banking } = house.databases;
  return JSON.stringify(
    [
      await ledger.query("SELECT id, balance, held FROM account WHERE kind = 'member' ORDER BY id"),
      await ledger.query("SELECT reference, leg, amount FROM entry ORDER BY reference, leg, account_id"),
      await ledger.query("SELECT transfer_id, state FROM hold ORDER BY transfer_id"),
      await transfer.query("SELECT id, state, failure_code FROM transfer ORDER BY id"),
      await banking.query("SELECT reference, operation, outcome FROM bank_call ORDER BY id"),
    ],
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  );
}

/** Waits until the bus has been quiet: what was published is handled, and nothing more came of it. */
async function quiet(): Promise<void> {
  let before = -1;
  let since = Date.now();
  await waitFor("the bus to be quiet", () => {
    const now = recorded().length;
    if (now !== before) since = Date.now();
    before = now;
    return Date.now() - since > 400;
  });
}

const DIGITS = ["1234", "9402", "9404", "1235", "9400", "0001"];

const answersOfLedger = () =>
  house.bus.records("ferry.transfer.replies.v1").filter(({ headers }) => headers.ce_type?.startsWith("ferry.ledger."));

/** A command that comes again gets its answer again: whoever asked may not have heard the first. */
async function expectSameAnswers(count: number): Promise<void> {
  await waitFor("every command to be answered again", () => answersOfLedger().length >= count);
  const completed = await house.databases.transfer.query<{ id: string }>(
    "SELECT id FROM transfer WHERE state = 'COMPLETED'",
  );
  const ids = new Set(completed.map(({ id }) => id));
  const all = answersOfLedger().filter(({ headers }) => ids.has(headers.saga_id ?? ""));
  for (const [what, answers] of Map.groupBy(all, ({ headers }) => `${headers.ce_type} to ${headers.saga_id}`))
    assert.equal(new Set(answers.map(({ value }) => Buffer.from(value!).toString("hex"))).size, 1, what);
}

async function sendSome(count: number): Promise<string[]> {
  const payer = await house.open(100_000n);
  const sent = Array.from({ length: count }, (_, index) => house.send(payer, DIGITS[index % DIGITS.length]!, 10n));
  return (await Promise.all(sent)).map(({ transfer }) => transfer!.id);
}

test("F8 every message of the bus again, when all have ended: no effect at all", async () => {
  await house.ended(await sendSome(60));
  await quiet();
  const before = await effects();
  const records = recorded();
  assert.ok(records.length > 300, `${records.length} messages: too few to mean anything`);
  const commands = records.filter(({ topic }) => topic === "ferry.ledger.commands.v1").length;
  const answers = answersOfLedger().length;
  await house.bus.publish(records.map(again));
  await expectSameAnswers(answers * 2 + commands); // The answers themselves came again too.
  await quiet();
  assert.equal(await effects(), before);
  await house.expectMoneyRight();
});

test("F8 every message again and again while transfers are under way: one effect each", async () => {
  const repeating = new AbortController();
  let repeated = 0;
  const records = recorded;
  const loop = (async () => {
    for (let from = records().length; !repeating.signal.aborted; ) {
      const fresh = records().slice(from);
      from = records().length + fresh.length;
      repeated += fresh.length;
      if (fresh.length > 0) await house.bus.publish(fresh.map(again));
      await waitFor("more", () => records().length > from || repeating.signal.aborted);
    }
  })();
  const states = await house.ended(await sendSome(120));
  repeating.abort();
  await loop;
  await quiet();
  assert.ok(repeated > 100, `${repeated} messages were repeated: the fault did not bite`);
  assert.deepEqual(states, { COMPLETED: 80, FAILED: 40 });
  await house.expectMoneyRight();
});

for (const seed of [1, 2, 3])
  test(`F9 old messages in an order of chance, seed ${seed}: replies after the end, releases before holds`, async () => {
    const random = createRandom(seed);
    const ids = await sendSome(60);
    const old = random.shuffled(recorded()).slice(0, 400).map(again);
    const running = house.ended(ids);
    for (let from = 0; from < old.length; from += 20) await house.bus.publish(old.slice(from, from + 20));
    assert.deepEqual(await running, { COMPLETED: 40, FAILED: 20 });
    await quiet();
    await house.expectMoneyRight();
  });

test("F9 a reply for a saga that nobody knows is kept, and holds nobody up", async () => {
  const reply = house.bus.records("ferry.transfer.replies.v1")[0]!;
  const stranger = "01890000-0000-7000-8000-00000000dead";
  await house.bus.publish([{ ...again(reply), headers: { ...reply.headers, saga_id: stranger, ce_id: "stray" } }]);
  assert.deepEqual(await house.ended(await sendSome(6)), { COMPLETED: 4, FAILED: 2 });
  const strays = await waitFor("the stray to be kept", async () => {
    const rows = await house.databases.transfer.query("SELECT message_id FROM saga_stray_reply");
    return rows.length > 0 ? rows : undefined;
  });
  assert.equal(strays.length, 1);
});
