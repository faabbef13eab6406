import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../../test/support/free-port.ts";
import { callerOf, isTimeout, newFolder, open, PATIENCE_MS, statusOf, TIMEOUTS } from "./bank.fixture.ts";

test("a debit needs a mandate, of the account or of the member", async (t) => {
  const bank = await open(t);
  assert.equal(statusOf(await bank.debit("own", "11000000")), "200 done");
  assert.equal((await bank.ask("own")).body.kind, "debit");
  const refused = await bank.debit("without", "22000000");
  assert.deepEqual([refused.body.status, refused.body.reason], ["refused", "mandate-missing"]);
  assert.equal((await bank.call("POST", "/v1/mandates", { memberId: "ann", accountNumber: "22000000" })).status, 200);
  assert.equal(statusOf(await bank.debit("with", "22000000")), "200 done");
  assert.equal(statusOf(await bank.debit("other", "22000000", "bob")), "200 refused");
  assert.equal(statusOf(await bank.debit("without", "22000000")), "200 refused", "a reference keeps its answer");
  assert.equal((await bank.debit("faulty", "11009500")).status, 503);
});

test("a reference is taken once: 50 equal requests are one record, another content is a conflict", async (t) => {
  const bank = await open(t);
  const answers = await Promise.all(Array.from({ length: 50 }, () => bank.send("a", "20000000")));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal((await bank.summary()).body.count, 1);
  const other = { amount: { currency: "EUR", minorUnits: "1251" } };
  assert.equal(statusOf(await bank.send("a", "20000000", other)), "409 reference-taken");
  assert.equal(statusOf(await bank.send("a", "20000001")), "409 reference-taken");
  assert.equal(statusOf(await bank.debit("a", "11000000")), "409 reference-taken");
  assert.equal((await bank.send("f", "20009500")).status, 503);
  assert.equal(statusOf(await bank.send("f", "20009500", other)), "409 reference-taken");
  assert.deepEqual((await bank.summary()).body, {
    count: 1,
    totals: [{ kind: "payment", status: "done", currency: "EUR", count: 1, minorUnits: "1250" }],
  });
});

test("a restart keeps records, counters and mandates, and cuts a torn line", async (t) => {
  const first = await open(t);
  const { directory } = first;
  const sent = await first.send("a", "20000000");
  await first.send("b", "20009500");
  await first.send("b", "20009500");
  await first.verify("c", "20009501");
  await first.call("POST", "/v1/mandates", { memberId: "ann", accountNumber: "22000000" });
  const before = await first.call("GET", "/v1/records");
  await first.stop();
  await appendFile(join(directory, "books.jsonl"), '{"type":"record","kind":"pay');

  const second = await open(t, directory);
  assert.deepEqual(await second.ask("a"), sent);
  assert.deepEqual(await second.send("a", "20000000"), sent);
  assert.deepEqual(await second.call("GET", "/v1/records"), before);
  assert.equal((await second.send("b", "20009500")).status, 503, "the third error");
  assert.equal(statusOf(await second.send("b", "20009500")), "200 done");
  for (let attempt = 2; attempt <= 3; attempt++) assert.equal((await second.verify("c", "20009501")).status, 503);
  assert.equal((await second.verify("c", "20009501")).body.status, "ok");
  assert.equal(statusOf(await second.debit("d", "22000000")), "200 done");
  await second.stop();
  const lines = (await readFile(join(directory, "books.jsonl"), "utf8")).trimEnd().split("\n");
  for (const line of lines) JSON.parse(line);
});

test("what was answered before kill -9 is there after it", async (t) => {
  const directory = newFolder();
  const child = spawn(process.execPath, [fileURLToPath(new URL("main.ts", import.meta.url))], {
    env: { ...process.env, FERRY_BANK_PORT: "0", FERRY_BANK_CONTROL_PORT: "0", FERRY_BANK_DIR: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = await new Promise<{ port: number; controlPort: number }>((resolve, reject) => {
    child.stdout.once("data", (line) => resolve(JSON.parse(String(line))));
    child.once("exit", (code) => reject(new Error(`the bank ended with ${code}`)));
  });
  const killed = callerOf(ready);
  const promised: string[] = [];
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const senders = Array.from({ length: 8 }, async (_, sender) => {
    for (let round = 0; round < 500; round++) {
      const reference = `r-${sender}-${round}`;
      const answer = await killed.send(reference, "20000000").catch(() => undefined);
      if (answer === undefined) return;
      promised.push(reference);
      if (promised.length === 100) child.kill("SIGKILL");
    }
  });
  await Promise.all([...senders, gone]);
  assert.ok(promised.length >= 100);

  const bank = await open(t, directory);
  for (const reference of promised) assert.equal(statusOf(await bank.ask(reference)), "200 done");
});

test("records come in order, by page and as lines", async (t) => {
  const bank = await open(t);
  const references = ["a", "b", "c", "d", "e"];
  for (const reference of references) {
    await bank.send(`faulty-${reference}`, "20009500"); // Attempts stand between the records, and are not listed.
    await bank.send(reference, reference === "c" ? "20009402" : "20000000");
  }
  const seen: unknown[] = [];
  for (let after: unknown = -1; after !== null; ) {
    const { body } = await bank.call("GET", `/v1/records?after=${after}&limit=2`);
    const records = body.records as Record<string, unknown>[];
    assert.ok(records.length <= 2);
    seen.push(...records.map(({ reference }) => reference));
    after = body.next;
  }
  assert.deepEqual(seen, references);
  const { body } = await bank.call("GET", "/v1/records?limit=3");
  const { seq, time, ...third } = (body.records as Record<string, unknown>[])[2]!;
  assert.equal(typeof seq, "number");
  assert.ok(!Number.isNaN(Date.parse(String(time))));
  assert.deepEqual(third, {
    kind: "payment",
    reference: "c",
    accountNumber: "20009402",
    currency: "EUR",
    minorUnits: "1250",
    memo: "rent",
    status: "refused",
    reason: "refused-by-account",
  });
});

test("faults for all accounts, and back", async (t) => {
  const bank = await open(t, newFolder(), TIMEOUTS, await freePort()); // It comes back to its port.
  assert.equal((await bank.control("PUT", { errorRate: 1 })).body.errorRate, 1);
  assert.equal((await bank.send("a", "20000000")).status, 503);
  await bank.control("PUT", { silence: true });
  await assert.rejects(bank.send("a", "20000000", {}, PATIENCE_MS), isTimeout);
  await bank.control("PUT", { latencyMs: 150 });
  const started = performance.now();
  assert.equal(statusOf(await bank.ask("a")), "404 not-found");
  assert.ok(performance.now() - started >= 145);
  await bank.control("PUT", { refuseConnections: true });
  await assert.rejects(bank.ask("a"), (error: Error) => (error.cause as { code?: string })?.code === "ECONNREFUSED");
  await bank.control("PUT", {});
  assert.deepEqual((await bank.control("GET")).body, {
    latencyMs: 0,
    errorRate: 0,
    silence: false,
    refuseConnections: false,
  });
  assert.equal(statusOf(await bank.send("a", "20000000")), "200 done");
});

test("bad input is 400 and names the field", async (t) => {
  const bank = await open(t);
  const cases: [string, object][] = [
    ["reference", { reference: "" }],
    ["reference", { reference: 7 }],
    ["creditorAccountNumber", { creditorAccountNumber: "12a4" }],
    ["amount", { amount: "12" }],
    ["amount.currency", { amount: { currency: "eur", minorUnits: "1" } }],
    ["amount.minorUnits", { amount: { currency: "EUR", minorUnits: 1 } }],
    ["amount.minorUnits", { amount: { currency: "EUR", minorUnits: "0" } }],
    ["amount.minorUnits", { amount: { currency: "EUR", minorUnits: "1e2" } }],
    ["amount.minorUnits", { amount: { currency: "EUR", minorUnits: "9223372036854775808" } }],
    ["memo", { memo: "a\u0000b" }],
  ];
  for (const [field, change] of cases) {
    const { status, body } = await bank.send("a", "20000000", change);
    assert.deepEqual([status, body.field], [400, field]);
    assert.match(String(body.message), /must be/);
  }
  assert.equal((await bank.debit("a", "11000000", "")).body.field, "memberId");
  assert.equal((await bank.verify("a", "1")).body.field, "accountNumber");
  assert.equal((await bank.call("GET", "/v1/records?limit=0")).body.field, "limit");
  assert.equal((await bank.control("PUT", { errorrate: 1 })).body.field, "errorrate");
  assert.equal((await bank.control("PUT", { errorRate: 2 })).body.field, "errorRate");
  assert.equal((await bank.call("GET", "/v2")).status, 404);
  assert.equal((await bank.summary()).body.count, 0);
});
