// kill -9 in the middle of 200 transfers, of each process by itself and of everything at once: the
// launcher restarts what died, every transfer that was promised ends, and the books hold.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openSources } from "../books/sources.ts";
import { booksOf } from "../support/books.ts";
import { EdgeCaller } from "../support/client.ts";
import { makeParties, type Party, sendLoad, waitForEnds } from "../support/load.ts";
import { Platform, waitFor } from "../support/platform.ts";

const TRANSFERS = 200;
const CALLERS = 32;
const KILL_AT = 60;
/** A bank that is away is asked for some seconds, and then the transfer fails before anything was held: on a slow machine its restart takes as long. */
const MAY_REFUSE = "bank";
/** One of four transfers stays on the platform. */
const WITHOUT_BANK = TRANSFERS / 4;
const VICTIMS = ["member", "ledger", "banking", "transfer", "payment", "notify", "edge", "broker", "bank", "postgres"];

let platform: Platform;
let edge: EdgeCaller;
let parties: Party[];
let completed = 0;

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
  parties = await makeParties(edge, 8);
});
after(() => platform.stop());

async function restartsOf(name: string): Promise<number> {
  return platform.readUpFile().processes.find((process) => process.name === name)?.restarts ?? 0;
}

/** Transfers that failed for anything but a bank that is away, which `mayRefuse` allows. */
async function wronglyFailed(promised: Awaited<ReturnType<typeof sendLoad>>, mayRefuse: boolean): Promise<unknown[]> {
  const sources = openSources({ databaseUrl: platform.databaseUrl, bankUrl: platform.bankControl });
  try {
    const failed = await sources.query<{ id: string; failure_code: string }>(
      "transfer",
      "SELECT id, failure_code FROM transfer WHERE state <> 'COMPLETED'",
    );
    const own = new Set(promised.map(({ id }) => id));
    return failed.filter(({ id, failure_code: code }) => own.has(id) && !(mayRefuse && code === "BANK_UNAVAILABLE"));
  } finally {
    await sources.close();
  }
}

async function countCompleted(promised: Awaited<ReturnType<typeof sendLoad>>): Promise<number> {
  const done = (await waitForEnds(edge, promised)).get("TRANSFER_STATE_COMPLETED") ?? 0;
  completed += done;
  return done;
}

/** A bank whose process runs may not serve yet, and banking does not ask one at once that was away: one transfer shows both. */
async function untilBankPays(): Promise<void> {
  const one = () => sendLoad({ edge, parties, transfers: 1, callers: 1, waitSeconds: 20 });
  await waitFor("a transfer to be paid by the bank", async () => (await countCompleted(await one())) === 1, 90_000);
}

async function expectAllEnded(promised: Awaited<ReturnType<typeof sendLoad>>, mayRefuse = false): Promise<void> {
  const done = await countCompleted(promised);
  if (mayRefuse) await untilBankPays();
  assert.deepEqual(await wronglyFailed(promised, mayRefuse), []);
  assert.ok(done >= (mayRefuse ? WITHOUT_BANK : KILL_AT), `${done} completed`);
  const { findings, figures } = await booksOf(platform);
  assert.deepEqual(findings, []);
  assert.equal(figures.completed, completed);
}

for (const victim of VICTIMS)
  test(`kill -9 of ${victim}: it is restarted, all transfers complete, the books hold`, async (t) => {
    const before = await restartsOf(victim);
    let killedAfter = 0;
    const promised = await sendLoad({
      edge,
      parties,
      transfers: TRANSFERS,
      callers: CALLERS,
      waitSeconds: 0,
      accepted(count) {
        if (count !== KILL_AT) return;
        platform.kill9(victim);
        killedAfter = count;
      },
    });
    assert.equal(killedAfter, KILL_AT, "the fault did not bite");
    await waitFor(`${victim} to be restarted`, async () => (await restartsOf(victim)) > before || undefined);
    const startedAt = Date.now();
    await expectAllEnded(promised, victim === MAY_REFUSE);
    t.diagnostic(`all ended ${Date.now() - startedAt} ms after the last was accepted`);
  });

test("kill -9 of everything at once, and a new start: all transfers complete, the books hold", async () => {
  let killed: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  const promised = await sendLoad({
    edge,
    parties,
    transfers: TRANSFERS,
    callers: CALLERS,
    waitSeconds: 0,
    accepted(count) {
      if (count !== KILL_AT) return;
      killed = platform.killAll();
      again = killed.then(() => platform.startAgain());
    },
  });
  assert.notEqual(killed, undefined, "the fault did not bite");
  await again;
  await expectAllEnded(promised);
});
