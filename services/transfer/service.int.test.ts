import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { StepState, TransferCanceledSchema, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { as, type Said, startTransfers, transferTemplate, until } from "./transfer.fixture.ts";

let testDatabase: TestDatabase;
let transfers: Awaited<ReturnType<typeof startTransfers>>;
const memberId = newUuid();
let sourceAccountId: string;

before(async () => {
  testDatabase = await createTestDatabase(transferTemplate);
  transfers = await startTransfers({ url: testDatabase.url });
  sourceAccountId = transfers.directory.openAccount(memberId);
});
after(async () => {
  await transfers.stop();
  await testDatabase.drop();
});

const { ACCEPTED, VERIFIED, HELD, COMPLETED, FAILED, CANCELED } = TransferState;
const because = (reason: string) => (error: FerryError) => error.reason === reason;
const toAccount = (accountId: string) => ({ destination: { kind: { case: "accountId" as const, value: accountId } } });

async function countAll(member: string): Promise<number> {
  return (await transfers.client.listTransfers({ pageSize: 200 }, as(member))).transfers.length;
}

test("a request that must not be recorded is refused with its reason, and nothing is recorded", async () => {
  const { directory } = transfers;
  const mine = newUuid();
  const source = directory.openAccount(mine);
  const closed = directory.openAccount(mine, { closed: true });
  const dollars = directory.openAccount(mine, { currency: "USD" });
  const suspended = newUuid();
  directory.suspended.add(suspended);
  const theirs = directory.openAccount(suspended);
  const refusals: [member: string, request: Parameters<typeof transfers.create>[1], reason: string][] = [
    [mine, { sourceAccountId: newUuid() }, "NOT_FOUND"],
    [mine, { sourceAccountId: theirs }, "NOT_FOUND"],
    [mine, { sourceAccountId: closed }, "ACCOUNT_CLOSED"],
    [mine, { sourceAccountId: dollars }, "CURRENCY_MISMATCH"],
    [mine, { sourceAccountId: source, ...toAccount(source.toUpperCase()) }, "SAME_ACCOUNT"],
    [mine, { sourceAccountId: source, ...toAccount(newUuid()) }, "DESTINATION_UNKNOWN"],
    [mine, { sourceAccountId: source, ...toAccount(closed) }, "ACCOUNT_CLOSED"],
    [mine, { sourceAccountId: source, ...toAccount(dollars) }, "CURRENCY_MISMATCH"],
    [mine, { sourceAccountId: source, amount: { currency: "EUR", minorUnits: 0n } }, "INVALID_REQUEST"],
    [mine, { sourceAccountId: source, destination: {} }, "INVALID_REQUEST"],
    [suspended, { sourceAccountId: theirs }, "MEMBER_SUSPENDED"],
  ];
  for (const [member, request, reason] of refusals)
    await assert.rejects(transfers.create(member, request), because(reason), reason);
  assert.equal(await countAll(mine), 0);
  assert.deepEqual(
    await transfers.database.query("SELECT 1 FROM saga WHERE state ->> 'memberId' = $1", [suspended]),
    [],
  );
});

test("the same key and body gets the same transfer in its present state, whatever the spelling and the member's state", async () => {
  const member = newUuid();
  const source = transfers.directory.openAccount(member);
  const target = transfers.directory.openAccount(newUuid());
  const key = newUuid();
  const request = { sourceAccountId: source, ...toAccount(target), memo: "once" };
  transfers.others.play({ hold: ["silent"] });
  const first = await transfers.create(member, request, { key, waitSeconds: 0 });
  assert.deepEqual([first.transfer?.state, first.replayed], [ACCEPTED, false]);
  const { id } = first.transfer!;

  const upper = { ...request, sourceAccountId: source.toUpperCase(), ...toAccount(target.toUpperCase()) };
  const running = await transfers.create(member, upper, { key, waitSeconds: 0 });
  assert.deepEqual([running.transfer?.id, running.transfer?.state, running.replayed], [id, ACCEPTED, true]);
  assert.equal((await transfers.client.getTransfer({ transferId: id.toUpperCase() }, as(member))).transfer?.id, id);

  transfers.directory.suspended.add(member);
  const waiting = transfers.create(member, request, { key });
  await transfers.others.answer(id, "hold", "done");
  const ended = await waiting;
  assert.deepEqual([ended.transfer?.state, ended.replayed], [COMPLETED, true], "a replay may wait for the end too");
  const replay = await transfers.create(member, request, { key });
  assert.deepEqual([replay.transfer?.id, replay.transfer?.state], [id, COMPLETED]);
  await assert.rejects(transfers.create(member, request, { key: newUuid() }), because("MEMBER_SUSPENDED"));
});

test("the same key with another body is refused; another member's key is another key", async () => {
  transfers.others.play({});
  const key = newUuid();
  await transfers.create(memberId, { sourceAccountId }, { key });
  for (const change of [{ memo: "other" }, { amount: { currency: "EUR", minorUnits: 1n } }])
    await assert.rejects(
      transfers.create(memberId, { sourceAccountId, ...change }, { key }),
      because("IDEMPOTENCY_KEY_REUSED"),
    );
  const other = newUuid();
  const theirs = await transfers.create(other, { sourceAccountId: transfers.directory.openAccount(other) }, { key });
  assert.equal(theirs.replayed, false);
});

test("fifty at once with one key are one transfer", async () => {
  transfers.others.play({});
  const member = newUuid();
  const source = transfers.directory.openAccount(member);
  const key = newUuid();
  const one = () => transfers.create(member, { sourceAccountId: source }, { key });
  const all = await Promise.all(Array.from({ length: 50 }, one));
  assert.equal(new Set(all.map(({ transfer }) => transfer?.id)).size, 1);
  assert.equal(all.filter(({ replayed }) => !replayed).length, 1);
  assert.ok(all.every(({ transfer }) => transfer?.state === COMPLETED));
  assert.equal(await countAll(member), 1);
  assert.equal(transfers.others.commandsFor(all[0]!.transfer!.id).length, 4);
});

test("who waits too short a time gets the transfer as it is then", async () => {
  transfers.others.play({ hold: ["silent"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId }, { waitSeconds: 5 });
  assert.equal(transfer?.state, VERIFIED);
  assert.deepEqual(
    transfer.steps.map(({ state }) => state),
    [StepState.DONE, StepState.RUNNING, StepState.PENDING, StepState.PENDING],
  );
  await transfers.client.cancelTransfer({ transferId: transfer.id }, as(memberId));
});

test("another's transfer is not there, for any rpc", async () => {
  transfers.others.play({});
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  const stranger = newUuid();
  for (const transferId of [transfer!.id, newUuid()])
    for (const call of [transfers.client.getTransfer, transfers.client.cancelTransfer])
      await assert.rejects(call({ transferId }, as(stranger)), because("NOT_FOUND"));
  assert.equal(await countAll(stranger), 0);
});

async function begin(silentAt: "verify" | "hold" | "send"): Promise<string> {
  transfers.others.play({ [silentAt]: ["silent" satisfies Said] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId }, { waitSeconds: 0 });
  await transfers.others.received(transfer!.id, silentAt);
  return transfer!.id;
}

test("canceled before anything is held: nothing is to be undone, and twice is once", async () => {
  const transferId = await begin("verify");
  const { transfer } = await transfers.client.cancelTransfer({ transferId: transferId.toUpperCase() }, as(memberId));
  assert.deepEqual([transfer?.state, transfer?.failure?.code], [CANCELED, "CANCELED_BY_MEMBER"]);
  const again = await transfers.client.cancelTransfer({ transferId }, as(memberId));
  assert.deepEqual(again.transfer, transfer);
  const events = await until("the event", () => {
    const found = transfers.eventsOf(transferId, TransferCanceledSchema);
    return found.length > 0 ? found : undefined;
  });
  assert.deepEqual([events.length, events[0]?.event.version], [1, 2n]);
});

test("canceled while the hold is asked for: it is released, never shown as held, and what comes late changes nothing", async () => {
  const transferId = await begin("hold");
  transfers.others.play({ release: ["silent"] });
  const { transfer } = await transfers.client.cancelTransfer({ transferId }, as(memberId));
  assert.deepEqual([transfer?.state, transfer?.failure], [VERIFIED, undefined]);
  await transfers.client.cancelTransfer({ transferId }, as(memberId));
  await transfers.others.answer(transferId, "hold", "done");
  await transfers.others.answer(transferId, "release", "done");
  const canceled = await transfers.reached(memberId, transferId, CANCELED);
  assert.equal(canceled.steps.find(({ name }) => name === "place-hold")?.state, StepState.UNDONE);
  assert.deepEqual(transfers.others.commandsFor(transferId), ["verify", "hold", "release"]);
  const [canceledOnce] = await until("the event", () => {
    const found = transfers.eventsOf(transferId, TransferCanceledSchema);
    return found.length > 0 ? found : undefined;
  });
  assert.equal(
    canceledOnce?.event.version,
    4n,
    "one for each change of its saga: begun, verified, turned back, undone",
  );
});

test("canceled too late: the money is on its way, or the transfer has ended", async () => {
  const transferId = await begin("send");
  await transfers.reached(memberId, transferId, HELD);
  const cancel = () => transfers.client.cancelTransfer({ transferId }, as(memberId));
  await assert.rejects(cancel(), because("TRANSFER_NOT_CANCELABLE"));
  await transfers.others.answer(transferId, "send", "BANK_REFUSED");
  await transfers.reached(memberId, transferId, FAILED);
  await assert.rejects(cancel(), because("TRANSFER_NOT_CANCELABLE"));
});

test("pages, newest first, of one state or of all; a forged token is none", async () => {
  const member = newUuid();
  const source = transfers.directory.openAccount(member);
  const ids: string[] = [];
  for (let index = 0; index < 5; index++) {
    transfers.others.play({ verify: [index % 2 === 0 ? "done" : "BANK_ACCOUNT_UNKNOWN"] });
    ids.unshift((await transfers.create(member, { sourceAccountId: source })).transfer!.id);
  }
  async function pagesOf(state: TransferState): Promise<string[][]> {
    const pages: string[][] = [];
    for (let pageToken = ""; pages.length === 0 || pageToken !== ""; ) {
      const page = await transfers.client.listTransfers({ pageSize: 2, pageToken, state }, as(member));
      pages.push(page.transfers.map(({ id }) => id));
      for (const { steps } of page.transfers) assert.equal(steps.length, 4);
      pageToken = page.nextPageToken;
    }
    return pages;
  }
  assert.deepEqual(await pagesOf(TransferState.UNSPECIFIED), [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  assert.deepEqual(await pagesOf(COMPLETED), [[ids[0], ids[2]], [ids[4]]]);
  assert.deepEqual(await pagesOf(FAILED), [[ids[1], ids[3]]]);

  const { nextPageToken } = await transfers.client.listTransfers({ pageSize: 2 }, as(member));
  const list = (pageToken: string, who = member, state: TransferState = TransferState.UNSPECIFIED) =>
    transfers.client.listTransfers({ pageSize: 2, pageToken, state }, as(who));
  for (const forged of ["x", nextPageToken.slice(0, -2), `${nextPageToken}A`])
    await assert.rejects(list(forged), because("PAGE_TOKEN_INVALID"));
  await assert.rejects(list(nextPageToken, memberId), because("PAGE_TOKEN_INVALID"));
  await assert.rejects(list(nextPageToken, member, FAILED), because("PAGE_TOKEN_INVALID"));
});
