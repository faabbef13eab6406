// Batches, scheduled and expiring transfers through the edge of a whole platform.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, type Reply, toBank } from "../support/client.ts";
import { makeParties, type Party } from "../support/load.ts";
import { Platform, waitFor } from "../support/platform.ts";
import { cpuMsOf } from "../support/processes.ts";

/** Lines of the first batch; a multiple of 100. More of them make a measurement of it. */
const LINES = Number(process.env.FERRY_TEST_BATCH_LINES ?? 1_000);
/** Lines of the batches that are interrupted. */
const INTERRUPTED = 1_000;
/** Until a time that a request names: it is recorded, and its answer read, before, also where the machine stands still. */
const SOON_MS = 5_000;
const ENDS = ["COMPLETED", "FAILED", "CANCELED"].map((state) => `TRANSFER_BATCH_STATE_${state}`);

let platform: Platform;
let edge: EdgeCaller;
let payer: Party;
let payee: Party;

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
  [payer, payee] = (await makeParties(edge, 2)) as [Party, Party];
});
after(() => platform.stop());

const amount = (minorUnits: string) => ({ currency: "EUR", minorUnits });
const bankAccount = (accountNumber: string) => ({ bankAccount: { bankCode: "081", accountNumber } });
const numbered = (line: number) => `22${String(line % 9_000).padStart(8, "0")}`;

/** Nineteen of twenty lines can be paid; the others have each another fault. */
function lineOf(index: number) {
  const fault = index % 20 === 19 ? ((index - 19) / 20) % 5 : undefined;
  const line = { reference: `r${index}`, amount: amount(String(1 + (index % 7))), memo: `line ${index}` };
  const good = index % 4 === 0 ? { accountId: payee.accountId } : bankAccount(numbered(index));
  switch (fault) {
    case 0:
      return { ...line, destination: good, amount: amount("0") };
    case 1:
      return { ...line, destination: { accountId: randomUUID() } };
    case 2:
      return { ...line, destination: good, amount: { currency: "USD", minorUnits: "1" } };
    case 3:
      return { ...line, destination: bankAccount("2200009404") };
    case 4:
      return { ...line, destination: good, reference: "r0" };
    default:
      return { ...line, destination: good };
  }
}

const EXPECTED = ["INVALID_REQUEST", "DESTINATION_UNKNOWN", "CURRENCY_MISMATCH", "ACCOUNT_NOT_VERIFIED"];

function post(body: unknown, { waitSeconds = 0, key = randomUUID() as string } = {}): Promise<Reply> {
  const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {};
  return edge.insist("POST", "/v1/transfer-batches", {
    token: payer.token,
    headers: { "idempotency-key": key, ...prefer },
    body,
  });
}

async function ended(batchId: string): Promise<Reply["body"]> {
  return waitFor(
    `batch ${batchId} to end`,
    async () => {
      const reply = await edge
        .call("GET", `/v1/transfer-batches/${batchId}`, { token: payer.token })
        .catch(() => undefined);
      if (reply?.status !== 200) return undefined;
      return ENDS.includes(reply.body.data.batch.state) ? (reply.body.data.batch as Reply["body"]) : undefined;
    },
    120_000,
  );
}

async function linesOf(batchId: string): Promise<Reply["body"][]> {
  const lines: Reply["body"][] = [];
  for (let token = ""; ; ) {
    const path = `/v1/transfer-batches/${batchId}/lines?page_size=400&page_token=${token}`;
    const page = await edge.expect(200, "GET", path, { token: payer.token });
    lines.push(...page.lines);
    token = page.nextPageToken;
    if (token === "") return lines;
  }
}

async function booksHold(): Promise<void> {
  const { findings } = await booksOf(platform);
  assert.deepEqual(findings, []);
}

function checkResults(lines: readonly Reply["body"][]): void {
  assert.equal(lines.length, LINES);
  for (const [index, { line, state, failure }] of lines.entries()) {
    const fault = index % 20 === 19 ? ((index - 19) / 20) % 5 : undefined;
    const expected = fault === undefined ? "COMPLETED" : fault === 4 ? "DUPLICATE" : "FAILED";
    assert.deepEqual(
      [line, state, failure?.code],
      [
        index + 1,
        `TRANSFER_BATCH_LINE_STATE_${expected}`,
        fault === undefined ? undefined : (EXPECTED[fault] ?? "BATCH_LINE_DUPLICATE"),
      ],
    );
  }
}

test("a thousand lines, one in twenty bad: each has its right result, and the books hold", async (t) => {
  const { pid } = platform.readUpFile();
  const lines = Array.from({ length: LINES }, (_, index) => lineOf(index));
  const body = { sourceAccountId: payer.accountId, lines };
  const key = randomUUID();
  const before = BigInt((await edge.balanceOf(payer.token, payer.accountId)).balance);
  const [startedAt, cpuBefore] = [Date.now(), cpuMsOf(pid)];
  const reply = await post(body, { key });
  const recordedMs = Date.now() - startedAt;
  // 201 when it has come to its end before its answer was read, 200 when the first answer did not come in time.
  assert.ok([200, 201, 202].includes(reply.status), JSON.stringify(reply.body).slice(0, 500));
  const { batch } = reply.body.data;
  assert.deepEqual([batch.lineCount, batch.counts.duplicate], [LINES, LINES / 100]);
  // Three of five bad lines are refused at once, the fourth by the bank: maybe before the answer was read.
  const refused = batch.counts.failed / LINES;
  assert.ok(refused >= 0.03 && refused <= 0.04, `${batch.counts.failed} lines refused`);
  const end = await ended(batch.id);
  const [endedMs, cpuMs] = [Date.now() - startedAt, cpuMsOf(pid) - cpuBefore];
  const each = (cpuMs / LINES).toFixed(2);
  t.diagnostic(`${LINES} lines: recorded after ${recordedMs} ms, ended after ${endedMs} ms, ${each} ms of CPU each`);
  assert.equal(end.state, "TRANSFER_BATCH_STATE_COMPLETED");
  assert.deepEqual(
    [end.counts.completed, end.counts.failed, end.counts.duplicate],
    [0.95 * LINES, 0.04 * LINES, 0.01 * LINES],
  );
  checkResults(await linesOf(batch.id));
  const paid = lines.reduce((sum, line, index) => (index % 20 === 19 ? sum : sum + BigInt(line.amount.minorUnits)), 0n);
  assert.equal(BigInt((await edge.balanceOf(payer.token, payer.accountId)).balance), before - paid);
  const replay = await post(body, { key });
  assert.deepEqual([replay.status, replay.headers.get("idempotency-replayed")], [200, "true"]);
  await booksHold();
});

test("CSV at the edge; a text that is none is told with line and column", async () => {
  const send = (csv: string) =>
    fetch(`${platform.edge}/v1/transfer-batches?sourceAccountId=${payer.accountId}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${payer.token}`,
        "content-type": "text/csv",
        "idempotency-key": randomUUID(),
        prefer: "wait=20",
      },
      body: csv,
    });
  const rows = Array.from({ length: 20 }, (_, index) => `c${index},EUR,5,081,${numbered(index)}`);
  const csv = ["reference,currency,minorUnits,bankCode,accountNumber", ...rows, 'c20,EUR,5,081,"22'].join("\r\n");
  const broken = await send(csv);
  const { error } = (await broken.json()) as { error: { code: string; message: string } };
  assert.deepEqual([broken.status, error.code], [400, "INVALID_REQUEST"]);
  assert.match(error.message, /line 22, column 5/);
  const done = await send(csv.split("\r\n").slice(0, -1).join("\r\n"));
  const { data } = (await done.json()) as Reply["body"];
  assert.deepEqual([done.status, data.batch.counts.completed], [201, 20], JSON.stringify(data));
});

test("all or nothing: one payee that the bank does not know, and no line is paid", async () => {
  const before = await edge.balanceOf(payer.token, payer.accountId);
  const lines = Array.from({ length: 100 }, (_, index) => ({
    destination: bankAccount(index === 60 ? "2200009404" : numbered(index)),
    amount: amount("3"),
  }));
  const request = { sourceAccountId: payer.accountId, mode: "TRANSFER_BATCH_MODE_ALL_OR_NOTHING" };
  const refused = await post({ ...request, lines }, { waitSeconds: 30 });
  const { batch } = refused.body.data;
  assert.deepEqual(
    [refused.status, batch.state, batch.failure.code],
    [201, "TRANSFER_BATCH_STATE_FAILED", "BATCH_FAILED"],
  );
  assert.match(batch.failure.message, /line 61 .*ACCOUNT_NOT_VERIFIED/);
  assert.deepEqual(await edge.balanceOf(payer.token, payer.accountId), before);
  const paid = await post({ ...request, lines: lines.toSpliced(60, 1) }, { waitSeconds: 30 });
  assert.deepEqual([paid.status, paid.body.data.batch.counts.completed], [201, 99]);
  await booksHold();
});

for (const mode of ["BEST_EFFORT", "ALL_OR_NOTHING"])
  test(`kill -9 of transfer in the middle of a batch, ${mode}: all of its lines end, and the books hold`, async () => {
    const lines = Array.from({ length: INTERRUPTED }, (_, index) => ({
      destination: index % 4 === 0 ? { accountId: payee.accountId } : bankAccount(numbered(index)),
      amount: amount("2"),
      reference: `k${index}`,
    }));
    const reply = await post({ sourceAccountId: payer.accountId, mode: `TRANSFER_BATCH_MODE_${mode}`, lines });
    const { id } = reply.body.data.batch;
    const restarts = () => platform.readUpFile().processes.find(({ name }) => name === "transfer")!.restarts;
    const before = restarts();
    const look = () => edge.expect(200, "GET", `/v1/transfer-batches/${id}`, { token: payer.token });
    await waitFor("the batch to be in its middle", async () => {
      const { completed, held } = (await look()).batch.counts;
      return completed + held >= INTERRUPTED / 5;
    });
    platform.kill9("transfer");
    const end = await ended(id);
    assert.deepEqual([end.state, end.counts.completed], ["TRANSFER_BATCH_STATE_COMPLETED", INTERRUPTED]);
    assert.ok(restarts() > before, "the fault did not bite");
    await booksHold();
  });

test("a scheduled transfer begins at its time, and one that is too late is undone", async () => {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const send = (body: object) =>
    edge.insist("POST", "/v1/transfers", { token: payer.token, headers: { "idempotency-key": randomUUID() }, body });
  const scheduled = await send({ ...toBank(payer.accountId, "2200001234", "7"), executeTime: at(SOON_MS) });
  assert.ok([200, 202].includes(scheduled.status), JSON.stringify(scheduled.body)); // 200: asked again, see above.
  assert.equal(scheduled.body.data.transfer.state, "TRANSFER_STATE_SCHEDULED");
  const never = await send({ ...toBank(payer.accountId, "2200001234", "7"), executeTime: at(86_400_000) });
  const cancel = `/v1/transfers/${never.body.data.transfer.id}:cancel`;
  const canceled = await edge.expect(200, "POST", cancel, { token: payer.token, body: {} });
  assert.equal(canceled.transfer.state, "TRANSFER_STATE_CANCELED");
  const endOf = ({ body }: Reply) =>
    waitFor("the transfer to end", async () => {
      const path = `/v1/transfers/${body.data.transfer.id}`;
      const { transfer } = await edge.expect(200, "GET", path, { token: payer.token });
      return ["TRANSFER_STATE_COMPLETED", "TRANSFER_STATE_FAILED"].includes(transfer.state)
        ? (transfer as Reply["body"])
        : undefined;
    });
  // Without banking its account is not verified, and its money not sent, before its time is over.
  const expired = await platform.whileFrozen("banking", async () => {
    const late = await send({ ...toBank(payer.accountId, "2200001234", "7"), expireTime: at(SOON_MS) });
    assert.ok([200, 202].includes(late.status), JSON.stringify(late.body));
    return endOf(late);
  });
  const done = await endOf(scheduled);
  assert.equal(done.state, "TRANSFER_STATE_COMPLETED");
  assert.ok(Date.parse(done.updateTime) >= Date.parse(done.executeTime));
  assert.deepEqual([expired.state, expired.failure?.code], ["TRANSFER_STATE_FAILED", "TRANSFER_EXPIRED"]);
  await booksHold();
});
