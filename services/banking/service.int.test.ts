import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { deadLetterTopic } from "@ferry/platform/events";
import { newTraceparent } from "@ferry/platform/telemetry";
import { startBank } from "../../local/bank/server.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import {
  BANK_TIMEOUT_MS,
  bankingTemplate,
  COMMANDS,
  commandOf,
  type Kind,
  readReply,
  repliesOf,
  startBanking,
  until,
} from "./banking.fixture.ts";
import { listCalls } from "./store/call-store.ts";

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
type Exchange = [kind: Kind, outcome: PaymentOutcome | undefined, code?: string];
const verified: Exchange = ["verify", undefined];
const lost: Exchange = ["send", UNKNOWN, "BANK_OUTCOME_UNKNOWN"];
const notFound: Exchange = ["inquire", NOT_FOUND, "BANK_REFERENCE_UNKNOWN"];
const busy: Exchange = ["verify", undefined, "BANK_UNAVAILABLE"];
const rows: Record<string, Exchange[]> = {
  "0001": [verified, ["send", DONE], ["inquire", DONE], ["send", DONE]],
  "9404": [["verify", undefined, "BANK_ACCOUNT_UNKNOWN"]],
  "9409": [["verify", undefined, "BANK_ACCOUNT_CLOSED"]],
  "9402": [verified, ["send", REFUSED, "BANK_REFUSED"], ["inquire", REFUSED, "BANK_REFUSED"]],
  "9500": [lost, notFound, lost, notFound, lost, notFound, ["send", DONE], ["inquire", DONE]],
  "9501": [busy, busy, busy, verified, ["send", DONE]],
  "9504": [lost, ["inquire", DONE]],
  "9505": [lost, notFound, lost, notFound, ["send", DONE]],
  "9400": [lost, ["inquire", DONE]],
  "9999": [verified, lost, ["inquire", UNKNOWN, "BANK_OUTCOME_UNKNOWN"]],
};

/** Side by side: some of them wait for the bank. */
describe("the bank's table", { concurrency: true }, () => {
  for (const [digits, exchanges] of Object.entries(rows))
    test(`accounts that end in ${digits}: each command gets the bank's word, and each call is recorded`, async () => {
      const reference = newUuid();
      for (const [kind, outcome, code] of exchanges) {
        const reply = await banking.ask(kind, reference, `2000${digits}`);
        assert.deepEqual([reply.outcome, reply.failure?.code, reply.reference], [outcome, code, reference], kind);
        assert.equal(reply.failure?.message === "", false);
      }
      const calls = await listCalls(banking.database, reference, 100);
      assert.deepEqual(
        calls.map(({ operation }) => operation),
        exchanges.map(([kind]) => kind),
      );
      for (const { outcome, durationMs, bankCode } of calls)
        assert.ok(outcome !== "pending" && bankCode === "081" && durationMs !== undefined && durationMs >= 0);
      const waited = calls.filter(({ outcome, detail }) => outcome === "unknown" && detail.startsWith("no answer"));
      for (const { durationMs } of waited) assert.ok(durationMs! >= BANK_TIMEOUT_MS - 10, `${durationMs} ms`);
    });
});

test("money comes in under a mandate, and not without", async () => {
  const [given, missing] = await Promise.all([
    banking.ask("collect", newUuid(), "1100001234"),
    banking.ask("collect", newUuid(), "2000001234"),
  ]);
  assert.deepEqual([given.outcome, given.failure], [DONE, undefined]);
  assert.deepEqual([missing.outcome, missing.failure?.code], [REFUSED, "MANDATE_MISSING"]);
});

test("a bank without a connection is refused, and nothing is sent", async () => {
  const reference = newUuid();
  assert.equal((await banking.ask("verify", reference, "20000001", {}, "999")).failure?.code, "BANK_UNKNOWN");
  const sent = await banking.ask("send", reference, "20000001", {}, "999");
  assert.deepEqual([sent.outcome, sent.failure?.code], [REFUSED, "BANK_UNKNOWN"]);
  assert.equal((await banking.ask("inquire", reference)).outcome, NOT_FOUND);
});

test("a reply says whose it is, and goes where the command asked", async () => {
  const [reference, sagaId, traceparent] = [newUuid(), newUuid(), newTraceparent()];
  const replyTo = "ferry.payment.replies.v1";
  await banking.bus.publish([
    commandOf("verify", reference.toUpperCase(), "20000001", { sagaId, traceparent, replyTo }),
  ]);
  const { key, headers } = await until("the reply", () => banking.bus.records(replyTo)[0]);
  assert.equal(key, reference);
  assert.equal(headers.ce_type, "ferry.banking.v1.VerifyAccountResponse");
  assert.equal(headers.ce_source, "ferry/banking");
  assert.deepEqual([headers.saga_id, headers.saga_step], [sagaId, "verify"]);
  assert.equal(headers.traceparent?.slice(0, 35), traceparent.slice(0, 35));
  assert.deepEqual([headers.reply_to, headers.expires_at], [undefined, undefined]);
});

test("a command that is delivered again makes no second call and gets no second reply", async () => {
  const [reference, sagaId] = [newUuid(), newUuid()];
  const command = commandOf("send", reference, "20000001", { sagaId });
  await banking.bus.publish([command, command]);
  await repliesOf(banking.bus, sagaId);
  await banking.bus.publish([command, commandOf("inquire", reference, "", { sagaId })]);
  const replies = await repliesOf(banking.bus, sagaId, 2);
  assert.deepEqual(
    replies.map(({ headers }) => headers.saga_step),
    ["send", "inquire"],
  );
  assert.equal((await listCalls(banking.database, reference, 10)).length, 2);
});

test("an expired command is answered EXPIRED and not carried out; an expired payment never so when one went before", async () => {
  const expiresAt = new Date(Date.now() - 1_000); // Also on a clock that steps back a little.
  const [verify, fresh, repeated] = [newUuid(), newUuid(), newUuid()];
  assert.equal((await banking.ask("verify", verify, "20009404", { expiresAt })).failure?.code, "EXPIRED");
  const refused = await banking.ask("send", fresh, "20000001", { expiresAt });
  assert.deepEqual([refused.outcome, refused.failure?.code], [REFUSED, "EXPIRED"]);
  for (const reference of [verify, fresh])
    assert.deepEqual(await listCalls(banking.database, reference, 10), [], "nobody was called");
  assert.equal((await banking.ask("inquire", fresh)).outcome, NOT_FOUND);

  // Both in one set, the late one first in the saga's eyes but a repetition in truth.
  const sagaId = newUuid();
  await banking.bus.publish([
    commandOf("send", repeated, "20000001"),
    commandOf("send", repeated, "20000001", { sagaId, expiresAt }),
  ]);
  const [late] = await repliesOf(banking.bus, sagaId);
  const { outcome, failure } = readReply(late!);
  assert.deepEqual([outcome, failure?.code], [UNKNOWN, "BANK_OUTCOME_UNKNOWN"]);
});

test("what can never be answered or recorded goes to the dead letters alone", async () => {
  const [sagaId, fine] = [newUuid(), newUuid()];
  await banking.bus.publish([
    commandOf("verify", newUuid(), "20000001", { sagaId, replyTo: "ferry.transfer.events.v1" }),
    commandOf("verify", "nonsense", "20000001", { sagaId }),
    commandOf("verify", newUuid(), "20000001", { sagaId: fine }),
  ]);
  await repliesOf(banking.bus, fine);
  await until("two dead letters", () => {
    const dead = banking.bus.records(deadLetterTopic(COMMANDS)).filter(({ headers }) => headers.saga_id === sagaId);
    return dead.length === 2 ? dead : undefined;
  });
  assert.equal(banking.bus.records("ferry.transfer.events.v1").length, 0);
});
