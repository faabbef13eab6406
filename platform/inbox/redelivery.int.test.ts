import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { SettleHoldResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { migrate, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { consume, createMemoryBus, writeHeaders } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { until } from "../../test/support/until.ts";
import { createInbox, inboxMigrations } from "./index.ts";

const HEARD = "ferry.transfer.replies.v1";
const TOLD = "ferry.payment.replies.v1";
const schema = SettleHoldResponseSchema;

const toCounted = ({ id }: { id: string }) => ({
  ...{ id: `${id}:counted`, schema, topic: TOLD },
  message: create(schema, { transferId: id }),
});
const recordOf = (id: string) => ({
  ...{ topic: HEARD, key: id, value: toBinary(schema, create(schema, { transferId: id })) },
  headers: writeHeaders({ id, type: schema.typeName, source: "ferry/ledger", time: new Date() }),
});

test("a set that is lost before its commit, and comes again after it, counts once and is told of once", async (t) => {
  const template = (url: string) => migrate(url, [outboxMigrations, inboxMigrations]);
  const { url, drop } = await createTestDatabase({ name: "inbox_and_outbox", run: template });
  const database = openDatabase({ url, ...PATIENT });
  const bus = createMemoryBus();
  const outbox = createOutbox({ database, bus, source: "ferry/test", logger: silentLogger });
  t.after(async () => {
    await bus.close();
    await outbox.stop();
    await database.close();
    await drop();
  });
  await database.query("CREATE TABLE tally (count int NOT NULL)");
  await database.query("INSERT INTO tally VALUES (0)");
  await outbox.start();

  const inbox = createInbox({ consumer: "tally" });
  const losses = ["before the commit", "after the commit"];
  const admitted: number[] = [];
  const handle = async (set: readonly { id: string }[]) => {
    const loss = losses.shift();
    const gone = new FerryError("UNAVAILABLE", `the consumer is gone ${loss}`);
    await database.transaction(async (tx) => {
      const fresh = await inbox.admit(tx, set);
      admitted.push(fresh.length);
      await tx.query("UPDATE tally SET count = count + $1", [fresh.length]);
      await outbox.add(tx, fresh.map(toCounted));
      if (loss === "before the commit") throw gone;
    });
    if (loss === "after the commit") throw gone;
  };
  await consume(bus, { group: "tally", topics: [HEARD], schemas: [schema], handle });
  await bus.publish(["one", "two", "two"].map(recordOf));

  const told = () => bus.records(TOLD).map(({ headers }) => headers.ce_id);
  await until("the last delivery, and what is told of it", () =>
    admitted.length === 3 && told().length >= 2 ? true : undefined,
  );
  await bus.close(); // The last delivery is done.
  assert.deepEqual(admitted, [2, 2, 0]);
  assert.deepEqual(await database.query("SELECT count FROM tally"), [{ count: 2 }]);
  assert.deepEqual(told().sort(), ["one:counted", "two:counted"]);
});
