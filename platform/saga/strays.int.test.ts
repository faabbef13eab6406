import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, type Envelope } from "@ferry/platform/events";
import { readMetrics, silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { createSagaEngine } from "./engine.ts";
import { createRegistry } from "./registry.ts";
import { answered, type ExampleReply, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";
import { createStraySweep } from "./strays.ts";

test("a reply that came before its saga is handed to it once it is there, and only then", async (t) => {
  const { url, drop } = await createTestDatabase({ name: "saga", run: (to) => migrate(to, [sagaMigrations]) });
  const database = openDatabase({ url, ...PATIENT });
  t.after(async () => {
    await database.close();
    await drop();
  });
  const engine = createSagaEngine({
    ...{ database, bus: createMemoryBus(), definitions: [exampleSaga], logger: silentLogger },
    ...{ replyTopic: "ferry.transfer.replies.v1", group: "strays" },
    outbox: { add: async () => {}, acknowledgedBelow: async () => 0n },
  });
  let taken = 0;
  const sweep = createStraySweep({
    queryable: database,
    handleReplies: (set) => engine.handleReplies(set),
    schemas: createRegistry([exampleSaga]).replies,
    took: (count) => {
      taken += count;
    },
  });
  const id = newUuid();
  const { step, reply } = answered("verify");
  const early: Envelope<ExampleReply["reply"]> = {
    ...{ id: newUuid(), type: reply.$typeName, key: id, message: reply, sagaId: id, sagaStep: step },
  };
  await engine.handleReplies([early, { ...early, id: newUuid(), sagaId: newUuid() }]);
  await sweep();
  assert.equal(taken, 0, "nobody has begun it yet");

  const state = { accountId: "a", amountMinor: 1n };
  await database.transaction((tx) => engine.begin(tx, [{ id, definition: exampleSaga.name, state }]));
  await sweep();
  await sweep();
  assert.equal(taken, 1);
  const saga = (await engine.find(database, [id])).get(id);
  assert.equal(saga?.steps[0]?.status, "done");
  const left = await database.query("SELECT message_id FROM saga_stray_reply");
  assert.equal(left.length, 1, "the other still waits for its saga");
  assert.match(await readMetrics(), /ferry_sagas_begun_total\{definition="send-money"\} 1/);
});
