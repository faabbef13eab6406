// F15 and F17: more callers than connections, and two who want the same money at the same moment.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase } from "@ferry/platform/db";
import { catalogue, FerryError } from "@ferry/platform/errors";
import { createCarryOut } from "../../services/ledger/app/carry-out.ts";
import { createCommandStore } from "../../services/ledger/store/command-store.ts";
import { hold } from "../../services/ledger/store/test-ledger.ts";
import { PATIENT } from "../support/patient.ts";
import { type House, startHouse } from "./house.ts";

const CLIENTS = 200;

let house: House;
before(async () => {
  house = await startHouse({ databaseConnections: 5 });
});
after(() => house.stop());

test("F15 200 clients on a pool of 5 with a short queue: the queue is bounded, the rest is told to come later", async () => {
  // Nobody of the queue gives up waiting, however slow the machine is.
  const patient = { connectTimeoutMs: 60_000, transactionTimeoutMs: 60_000 };
  const database = openDatabase({ url: house.urls.transfer.url, maxConnections: 5, maxWaiting: 50, ...patient });
  const full = Promise.withResolvers<void>();
  let atOnce = 0;
  let most = 0;
  const all = await Promise.allSettled(
    Array.from({ length: CLIENTS }, () =>
      database.transaction(async (tx) => {
        most = Math.max(most, ++atOnce);
        if (most === 5) full.resolve();
        await full.promise; // Connections are made one after another: the first do not go on before all are there.
        await tx.query("SELECT pg_sleep(0.02)");
        atOnce--;
      }),
    ),
  );
  await database.close();
  const shed = all.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  assert.equal(most, 5);
  assert.ok(shed.length >= CLIENTS - 60 && shed.length < CLIENTS - 50, `${shed.length} were refused`);
  for (const error of shed) {
    assert.ok(error instanceof FerryError && error.reason === "OVERLOADED", String(error));
    assert.ok((error.retryAfterMs ?? 0) > 0, "with the time after which to come again");
  }
  assert.equal(catalogue.get("OVERLOADED")?.httpStatus, 503);
});

test("F15 200 transfers at once through pools of 5: all end well", async () => {
  const payer = await house.open(1_000_000n);
  const sent = await Promise.all(Array.from({ length: CLIENTS }, () => house.send(payer, "1234", 10n)));
  assert.deepEqual(
    await house.ended(
      sent.map(({ transfer }) => transfer!.id),
      60_000,
    ),
    { COMPLETED: CLIENTS },
  );
  await house.expectMoneyRight();
});

test("F17 write skew: two withdrawals of the whole balance in two transactions that have both begun: one is refused", async () => {
  const patient = { ...PATIENT, transactionTimeoutMs: 60_000 }; // Each waits for the other's connection.
  const databases = [1, 2].map(() => openDatabase({ url: house.urls.ledger.url, ...patient }));
  for (let round = 0; round < 20; round++) {
    const account = await house.open(900n);
    const begun = Promise.withResolvers<void>();
    let count = 0;
    const refusals = await Promise.all(
      databases.map((database) =>
        database.transaction(async (tx) => {
          await tx.query("SELECT pg_current_xact_id()");
          if (++count === 2) begun.resolve();
          await begun.promise; // Neither has looked at the account before both have begun.
          const [outcome] = await createCarryOut({ store: createCommandStore() })(tx, [hold(account, 900n)]);
          return outcome!.refusal;
        }),
      ),
    );
    assert.deepEqual(refusals.toSorted(), ["INSUFFICIENT_BALANCE", undefined]);
  }
  for (const database of databases) await database.close();
});
