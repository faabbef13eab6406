import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import { readMetrics } from "@ferry/platform/telemetry";
import { callerOf } from "../../local/bank/bank.fixture.ts";
import { startBank } from "../../local/bank/server.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { bankingTemplate, startBanking, until } from "./banking.fixture.ts";

const broken = async () => /ferry_upstream_broken\{upstream="bank-081"\} 1/.test(await readMetrics());

test("a bank that fails every call is left alone, and asked again by itself when it is well", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "ferry-breaker-"));
  const bank = await startBank({ directory: folder, port: 0, timeouts: { lateMs: 2_000, silentMs: 10_000 } });
  const database = await createTestDatabase(bankingTemplate);
  const banking = await startBanking({ url: database.url, bankUrl: `http://127.0.0.1:${bank.port}` });
  t.after(async () => {
    await banking.stop();
    await bank.stop();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });
  const { control } = callerOf(bank);
  const verify = () => banking.ask("verify", newUuid(), "00000001");

  assert.equal((await control("PUT", { errorRate: 1 })).status, 200);
  const replies = await Promise.all(Array.from({ length: 40 }, verify));
  assert.deepEqual(new Set(replies.map(({ failure }) => failure?.code)), new Set(["BANK_UNAVAILABLE"]));
  await until("the breaker to open", async () => (await broken()) || undefined);
  await until("a call that was not made, and is recorded so", async () => {
    assert.equal((await verify()).failure?.code, "BANK_UNAVAILABLE");
    const spared = await banking.database.query("SELECT 1 FROM bank_call WHERE detail = 'the breaker is open'");
    return spared.length > 0 || undefined;
  });

  await control("PUT", {});
  await until("the bank to be asked again", async () => ((await verify()).failure === undefined ? true : undefined));
  assert.equal(await broken(), false);
});
