// Nothing is paid under a reference that was voided, in whichever order and to whichever instance the two come.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { startBank } from "../../local/bank/server.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { paymentRpcs } from "./audit/payments.ts";
import {
  BANK_TIMEOUT_MS,
  bankingTemplate,
  commandOf,
  type Kind,
  REPLIES,
  repliesOf,
  startBanking,
  until,
} from "./banking.fixture.ts";
import { insertCalls, listCalls } from "./store/call-store.ts";

let banking: Awaited<ReturnType<typeof startBanking>>;
let bank: Awaited<ReturnType<typeof startBank>>;
let folder: string;
let testDatabase: TestDatabase;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "ferry-banking-"));
  bank = await startBank({ directory: folder, port: 0, timeouts: { lateMs: 2 * BANK_TIMEOUT_MS, silentMs: 10_000 } });
  testDatabase = await createTestDatabase(bankingTemplate);
  banking = await startBanking({ url: testDatabase.url, bankUrl: `http://127.0.0.1:${bank.port}` });
});
after(async () => {
  await banking.stop();
  await bank.stop();
  await testDatabase.drop();
  await rm(folder, { recursive: true, force: true });
});

const { DONE, REFUSED, UNKNOWN, NOT_FOUND } = PaymentOutcome;
const GOOD = "20000001";

async function ask(kind: Kind, reference: string, accountNumber = GOOD) {
  const { outcome, failure } = await banking.ask(kind, reference, accountNumber);
  return [outcome, failure?.code];
}
const VOIDED = [REFUSED, "PAYMENT_VOIDED"];
/** Whether the bank has a payment under the reference, by its own word. */
const isAtBank = async (reference: string) => (await ask("inquire", reference))[0] === DONE;

/** As if the calls of a reference had ended so long ago. */
const age = (reference: string, seconds: number) =>
  banking.database.query(
    "UPDATE bank_call SET lease_until = now() - make_interval(secs => $2) WHERE reference = $1 AND operation <> 'void'",
    [reference, seconds],
  );

for (const kind of ["send", "collect"] as const)
  test(`${kind} after its void is refused, however often it comes, and never reaches the bank`, async () => {
    const reference = newUuid();
    const account = kind === "send" ? GOOD : "1100000001";
    assert.deepEqual(await ask("void", reference), VOIDED);
    for (let count = 0; count < 2; count++) assert.deepEqual(await ask(kind, reference, account), VOIDED);
    assert.deepEqual(await ask("void", reference), VOIDED, "and so is its void");
    assert.equal(await isAtBank(reference), false);
    const calls = await listCalls(banking.database, reference, 10);
    assert.deepEqual(
      calls.map(({ operation, outcome }) => `${operation} ${outcome}`),
      ["void refused", `${kind} refused`, `${kind} refused`, "void refused", "inquire not-found"],
    );
  });

test("a void and its payment in one set: whichever comes first counts", async () => {
  const [voidFirst, sendFirst] = [newUuid(), newUuid()];
  const [one, other] = [newUuid(), newUuid()];
  await banking.bus.publish([
    commandOf("void", voidFirst, "", { sagaId: one }),
    commandOf("send", voidFirst, GOOD, { sagaId: one }),
    commandOf("send", sendFirst, GOOD, { sagaId: other }),
    commandOf("void", sendFirst, "", { sagaId: other }),
  ]);
  await Promise.all([repliesOf(banking.bus, one, 2), repliesOf(banking.bus, other, 2)]);
  assert.equal(await isAtBank(voidFirst), false);
  assert.deepEqual(await ask("void", voidFirst), VOIDED);
  assert.equal((await ask("void", sendFirst))[0], (await isAtBank(sendFirst)) ? DONE : REFUSED);
});

test("a void of what was done says so, also by the bank's word where the answer was lost", async () => {
  const done = newUuid();
  assert.equal((await ask("send", done))[0], DONE);
  assert.deepEqual(await ask("void", done), [DONE, undefined]);
  assert.deepEqual(await ask("send", done), [DONE, undefined], "a repetition is told the same");

  const lost = newUuid();
  assert.equal((await ask("send", lost, "20009504"))[0], UNKNOWN, "the bank answers too late");
  assert.deepEqual(await ask("void", lost), [DONE, undefined]);
  const { payments } = await (
    paymentRpcs(banking.database).batchGetPayments as (
      request: unknown,
    ) => Promise<{ payments: { outcome?: PaymentOutcome }[] }>
  )({ references: [lost] });
  assert.equal(payments[0]?.outcome, DONE, "neighbors who check their books hear of it");
});

test("a void of what the bank refused gives its refusal", async () => {
  const reference = newUuid();
  assert.deepEqual(await ask("send", reference, "20009402"), [REFUSED, "BANK_REFUSED"]);
  assert.deepEqual(await ask("void", reference), [REFUSED, "BANK_REFUSED"]);
});

test("a void while the payment is under way does not know, and knows once that has ended", async () => {
  const reference = newUuid();
  await insertCalls(
    banking.database,
    [
      {
        ...{ id: "elsewhere", reference, bankCode: "081", route: undefined, traceparent: undefined },
        operation: { kind: "send", accountNumber: GOOD, currency: "EUR", amountMinor: 1_250n, memo: "rent" },
      },
    ],
    60_000,
  );
  assert.deepEqual(await ask("void", reference), [UNKNOWN, "STEP_OUTCOME_UNKNOWN"]);
  assert.deepEqual(await ask("send", reference), [UNKNOWN, "PAYMENT_VOIDED"], "not made, but the first may be");
  await age(reference, 1); // Whoever had it is gone: it may have called the bank, or not.
  await until("it was taken over", async () => {
    const [first] = await listCalls(banking.database, reference, 10);
    return first?.outcome === "unknown" || undefined;
  });
  assert.deepEqual(await ask("void", reference), [UNKNOWN, "BANK_OUTCOME_UNKNOWN"], "not found may be said too early");
  await age(reference, 61);
  assert.deepEqual(await ask("void", reference), VOIDED);
  assert.equal(await isAtBank(reference), false, "who took it over has not called the bank");
});

test("a payment that the bank never took is voided once it does not find it long after the last call", async () => {
  const reference = newUuid();
  assert.equal((await ask("send", reference, "20009500"))[0], UNKNOWN);
  assert.deepEqual(await ask("inquire", reference), [NOT_FOUND, "BANK_REFERENCE_UNKNOWN"]);
  assert.deepEqual(await ask("void", reference), [UNKNOWN, "BANK_OUTCOME_UNKNOWN"]);
  for (let count = 0; count < 4; count++)
    assert.deepEqual(await ask("send", reference, "20009500"), [UNKNOWN, "PAYMENT_VOIDED"], "the fourth would be paid");
  await age(reference, 61);
  assert.deepEqual(await ask("void", reference), VOIDED);
  assert.equal(await isAtBank(reference), false);
});

test("a bank that does not say leaves the void unknown, however long ago it was asked", async () => {
  const reference = newUuid();
  assert.equal((await ask("send", reference, "20009999"))[0], UNKNOWN);
  await age(reference, 3_600);
  assert.deepEqual(await ask("void", reference), [UNKNOWN, "BANK_OUTCOME_UNKNOWN"]);
});

test("a void comes to a bank that the platform has no connection to: what was never sent there is voided", async () => {
  const { outcome, failure } = await banking.ask("void", newUuid(), "", {}, "999");
  assert.deepEqual([outcome, failure?.code], VOIDED);
  assert.ok(banking.bus.records(REPLIES).length > 0);
});
