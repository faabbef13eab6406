import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, ConnectError, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { type Database, migrate, newUuid, openDatabase, writePageToken } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createMemoryBus } from "@ferry/platform/events";
import { callFacts } from "@ferry/platform/rpc";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { child } from "./child.ts";
import { defineSaga } from "./define.ts";
import { createSagaEngine, type SagaEngine } from "./engine.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";

const OPERATOR = "01890000-0000-7000-8000-000000000001";
const outer = defineSaga<ExampleState>("outer", 1, [
  child("inner", { saga: exampleSaga, begin: ({ state }) => state }),
]);
let testDatabase: TestDatabase;
let database: Database;
let engine: SagaEngine;
let client: Client<typeof ParkedSagaService>;

/** Stands where the server's authentication and its mapping of errors do. */
const asOperator: Interceptor = (next) => async (request) => {
  const principal = { kind: "operator" as const, id: OPERATOR, scopes: new Set<string>(), expiresAt: 0 };
  request.contextValues.set(callFacts, { principal, waitMs: 0 });
  try {
    return await next(request);
  } catch (error) {
    throw error instanceof FerryError ? new ConnectError(error.reason, error.entry.grpcCode) : error;
  }
};

before(async () => {
  testDatabase = await createTestDatabase({ name: "saga", run: (url) => migrate(url, [sagaMigrations]) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  engine = createSagaEngine({
    ...{ database, bus: createMemoryBus(), definitions: [exampleSaga, outer], logger: silentLogger },
    outbox: { add: async () => {}, acknowledgedBelow: async () => 0n },
    ...{ replyTopic: "ferry.transfer.replies.v1", group: "test" },
  });
  const transport = createRouterTransport(engine.routes, { router: { interceptors: [asOperator] } });
  client = createClient(ParkedSagaService, transport);
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

/** A refusal after the pivot parks at once. */
async function parkOne(): Promise<string> {
  const id = newUuid();
  const state: ExampleState = { accountId: "a", amountMinor: 5n };
  await database.transaction((tx) => engine.begin(tx, [{ id, definition: "send-money", state }]));
  const way = [answered("verify"), answered("placeHold"), bankSaid("send", "done"), answered("settle", "HOLD_UNKNOWN")];
  for (const { step, reply } of way)
    await engine.handleReplies([
      { id: newUuid(), type: reply.$typeName, key: id, message: reply, sagaId: id, sagaStep: step },
    ]);
  return id;
}

test("an operator pages through parked sagas with everything needed to decide, and decides under their own name", async () => {
  const ids = [await parkOne(), await parkOne(), await parkOne()];
  const first = await client.listParkedSagas({ pageSize: 2 });
  const second = await client.listParkedSagas({ pageSize: 2, pageToken: first.nextPageToken });
  assert.deepEqual(new Set([...first.sagas, ...second.sagas].map(({ id }) => id)), new Set(ids));
  assert.equal(second.sagas.length, 1);
  assert.equal(second.nextPageToken, "");

  const [saga] = first.sagas;
  assert.ok(saga?.createTime && saga.parkTime);
  assert.deepEqual([saga.definition, saga.version, saga.state, saga.step], ["send-money", 1, "parked", "settle"]);
  assert.equal(saga.reason?.code, "HOLD_UNKNOWN");
  assert.deepEqual(JSON.parse(saga.data), { accountId: "a", amountMinor: { $bigint: "5" }, verified: true });

  const reason = "seen in the books";
  assert.equal((await client.resumeSaga({ sagaId: ids[0], reason })).saga?.state, "running");
  assert.equal((await client.skipSagaStep({ sagaId: ids[1]?.toUpperCase(), reason })).saga?.state, "completed");
  const audit = await database.query(
    "SELECT saga_id, action, reason FROM saga_audit WHERE operator_id = $1 ORDER BY action",
    [OPERATOR],
  );
  assert.deepEqual(audit, [
    { saga_id: ids[0], action: "resume", reason },
    { saga_id: ids[1], action: "skip", reason },
  ]);
});

test("what an operator may not do is refused with its reason, and leaves no trace in the audit log", async () => {
  const id = await parkOne();
  const reason = "r";
  await assert.rejects(client.undoSaga({ sagaId: id, reason }), /INVALID_REQUEST/);
  await assert.rejects(client.skipSagaStep({ sagaId: newUuid(), reason }), /NOT_FOUND/);
  await assert.rejects(client.listParkedSagas({ pageToken: "forged" }), /PAGE_TOKEN_INVALID/);
  const wellFormed = writePageToken("parked-sagas", ["1", "not a uuid"]);
  await assert.rejects(client.listParkedSagas({ pageToken: wellFormed }), /PAGE_TOKEN_INVALID/);
  assert.deepEqual(await database.query("SELECT 1 FROM saga_audit WHERE saga_id = $1", [id]), []);
});

test("an operator looks into a saga: its table, what it waits for, what may be done, and what was decided", async () => {
  const id = await parkOne();
  const reason = "the ledger was restored";
  const parked = (await client.getSaga({ sagaId: id.toUpperCase() })).saga;
  assert.ok(parked?.createTime);
  assert.deepEqual([parked.state, parked.versionKnown, parked.failure?.code], ["parked", true, "HOLD_UNKNOWN"]);
  assert.deepEqual(
    parked.steps.map(({ name, state, phase, attempts, hasUndo }) => [name, state, phase, attempts, hasUndo]),
    [
      ["verify-account", "done", "before-pivot", 1, false],
      ["place-hold", "done", "before-pivot", 1, true],
      ["send", "done", "pivot", 1, false],
      ["settle", "failed", "after-pivot", 1, false],
    ],
  );
  const [wait] = parked.waits;
  assert.deepEqual(
    [wait?.step, wait?.for, wait?.role, wait?.reason?.code],
    ["settle", "operator", "ask", "HOLD_UNKNOWN"],
  );
  assert.deepEqual(parked.actions, ["resume", "skip"], "it is past its pivot");
  assert.deepEqual(parked.audit, []);

  await client.resumeSaga({ sagaId: id, reason });
  const running = (await client.getSaga({ sagaId: id })).saga;
  assert.deepEqual([running?.state, running?.actions, running?.failure], ["running", [], undefined]);
  assert.ok(running?.waits[0]?.dueTime);
  const [decided] = running.audit;
  assert.deepEqual([decided?.operatorId, decided?.action, decided?.reason], [OPERATOR, "resume", reason]);
  const [was, is] = [decided?.before, decided?.after].map((text = "") => JSON.parse(text).status);
  assert.deepEqual([was, is], ["parked", "running"]);
  await assert.rejects(client.getSaga({ sagaId: newUuid() }), /NOT_FOUND/);
});

test("looking into a saga shows the one that it waits for, and that one who waits", async () => {
  const parent = newUuid();
  const state: ExampleState = { accountId: "a", amountMinor: 5n };
  await database.transaction((tx) => engine.begin(tx, [{ id: parent, definition: "outer", state }]));
  const shown = (await client.getSaga({ sagaId: parent })).saga;
  const [step] = shown?.steps ?? [];
  assert.deepEqual([step?.name, step?.childState], ["inner", "running"]);
  const inner = (await client.getSaga({ sagaId: step?.childId ?? "" })).saga;
  assert.deepEqual([inner?.parentId, inner?.parentStep, inner?.definition], [parent, "inner", "send-money"]);
});
