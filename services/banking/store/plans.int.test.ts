import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import { startBank } from "../../../local/bank/server.ts";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { bankingTemplate, MEMBER, startBanking } from "../banking.fixture.ts";
import * as store from "./call-store.ts";
import * as statements from "./statements.ts";

test("whatever is asked about bank calls goes by an index, once there are many", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "ferry-banking-"));
  const bank = await startBank({ directory, port: 0 });
  const { url, drop } = await createTestDatabase(bankingTemplate);
  const banking = await startBanking({ url, bankUrl: `http://127.0.0.1:${bank.port}` });
  t.after(async () => {
    await banking.stop();
    await drop();
    await bank.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const { database } = banking;
  const [reference, id] = [newUuid(), newUuid()];
  const operation = {
    kind: "collect",
    accountNumber: "1",
    currency: "EUR",
    amountMinor: 1n,
    memberId: MEMBER,
  } as const;
  const call = { id, reference, bankCode: "081", operation, route: undefined, traceparent: undefined };

  const asked = await statementsOf(database, async () => {
    for (const kind of ["verify", "send", "collect", "inquire", "void"] as const)
      await banking.ask(kind, reference, "1100000001");
    await banking.ask("send", reference, "1100000001", { expiresAt: new Date(1) });
    const [pending] = await store.insertCalls(database, [call], 0);
    assert.ok(pending);
    assert.deepEqual(await store.insertCalls(database, [call], 0), []);
    assert.ok(await store.wasPaidBefore(database, pending));
    await database.transaction(async (tx) => {
      await store.renewLeases(tx, [pending.seq], 0);
      await store.moveMark(tx);
      await store.takeOverdueCalls(tx, 10, 60_000);
      await store.finishCalls(tx, [{ call: pending, outcome: { kind: "done", detail: "" }, durationMs: 1 }]);
    });
    assert.equal((await store.listCalls(database, reference, 10)).length, 6);
  });
  for (const [name, text] of Object.entries(statements)) assert.ok(asked.has(text), `${name} was asked`);
  await assertIndexed(database, asked);
});
