import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, ConnectError, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { Decision, InDoubtTransactionService } from "@ferry/gen/ferry/two_phase/v1/two_phase_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { callFacts } from "@ferry/platform/rpc";
import { inDoubtRoutes } from "./index.ts";
import { createPurses, dieAt } from "./testing/purses.ts";

const OPERATOR = "01890000-0000-7000-8000-000000000001";
let purses: Awaited<ReturnType<typeof createPurses>>;
let coordinator: ReturnType<typeof purses.coordinator>;
let client: Client<typeof InDoubtTransactionService>;

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
  purses = await createPurses();
  // Its own recovery must not end beside the operator what they have just decided.
  coordinator = purses.coordinator({ abortAfterMs: 3_600_000, recoverEveryMs: 3_600_000 });
  await coordinator.start();
  const routes = (router: Parameters<typeof inDoubtRoutes>[0]) => inDoubtRoutes(router, coordinator);
  const transport = createRouterTransport(routes, { router: { interceptors: [asOperator] } });
  client = createClient(InDoubtTransactionService, transport);
});
after(async () => {
  await coordinator.stop();
  await purses.drop();
});

test("an operator sees what is in doubt, and ends it under their own name", async () => {
  const before = Date.now();
  await dieAt(purses.urls, "prepared-one");
  const { transactions, unreachable } = await client.listInDoubtTransactions({});
  assert.deepEqual(unreachable, []);
  const [found] = transactions;
  assert.ok(found);
  assert.deepEqual([found.decision, found.preparedOn, found.participantCount], [Decision.NONE, ["purse-0"], 2]);
  const preparedMs = Number(found.prepareTime!.seconds) * 1_000;
  assert.ok(preparedMs >= before - 2_000 && preparedMs <= Date.now() + 1_000);

  const reason = "its machine is gone";
  await assert.rejects(
    client.commitInDoubtTransaction({ transactionId: found.id, reason }),
    /TRANSACTION_NOT_PREPARED/,
  );
  await assert.rejects(client.rollbackInDoubtTransaction({ transactionId: newUuid(), reason }), /NOT_FOUND/);
  const { transaction } = await client.rollbackInDoubtTransaction({ transactionId: found.id.toUpperCase(), reason });
  assert.deepEqual([transaction?.decision, transaction?.preparedOn], [Decision.ABORT, []]);
  const audit = await purses.log.query("SELECT transaction_id, operator_id, action, reason FROM two_phase_audit");
  assert.deepEqual(audit, [{ transaction_id: found.id, operator_id: OPERATOR, action: "abort", reason }]);
});

test("where there is one database alone nothing is in doubt", async () => {
  const transport = createRouterTransport((router) => inDoubtRoutes(router), {
    router: { interceptors: [asOperator] },
  });
  const alone = createClient(InDoubtTransactionService, transport);
  assert.deepEqual((await alone.listInDoubtTransactions({})).transactions, []);
  const nothing = { transactionId: newUuid(), reason: "nothing" };
  await assert.rejects(alone.commitInDoubtTransaction(nothing), /NOT_FOUND/);
});
