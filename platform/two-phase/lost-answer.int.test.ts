import assert from "node:assert/strict";
import { test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import { until } from "../../test/support/until.ts";
import { createPurses, move } from "./testing/purses.ts";
import type { Participant } from "./types.ts";

/** Gates that make the order of happenings sure. */
function createGates() {
  return {
    firstIsPrepared: Promise.withResolvers<void>(),
    firstHasEnded: Promise.withResolvers<void>(),
    secondHasEnded: Promise.withResolvers<void>(),
  };
}
type Gates = ReturnType<typeof createGates>;

/** As the operator's process sees them: it comes to the first when the coordinator has ended it there. */
function seenByOperator([first, second]: readonly [Participant, Participant], gates: Gates): Participant[] {
  return [
    {
      name: first.name,
      database: {
        ...first.database,
        endPrepared: (name, end) => gates.firstHasEnded.promise.then(() => first.database.endPrepared(name, end)),
      },
    },
    {
      name: second.name,
      database: {
        ...second.database,
        endPrepared: (name, end) => second.database.endPrepared(name, end).finally(gates.secondHasEnded.resolve),
      },
    },
  ];
}

/** As the coordinator sees them: the second is prepared, and its answer is lost while the operator decides. */
function seenByCoordinator(
  [first, second]: readonly [Participant, Participant],
  gates: Gates,
  meanwhile: () => Promise<void>,
): Participant[] {
  const beginFirst = async () => {
    const transaction = await first.database.begin();
    return {
      ...transaction,
      prepare: (name: string) => transaction.prepare(name).finally(gates.firstIsPrepared.resolve),
      endPrepared: (end: "commit" | "rollback") => transaction.endPrepared(end).finally(gates.firstHasEnded.resolve),
    };
  };
  const beginSecond = async () => {
    const transaction = await second.database.begin();
    return {
      ...transaction,
      async prepare(name: string) {
        await transaction.prepare(name);
        await gates.firstIsPrepared.promise;
        await meanwhile();
        throw new Error("the answer was lost");
      },
    };
  };
  return [
    { name: first.name, database: { ...first.database, begin: beginFirst } },
    {
      name: second.name,
      database: {
        ...second.database,
        begin: beginSecond,
        endPrepared: (name, end) => gates.secondHasEnded.promise.then(() => second.database.endPrepared(name, end)),
      },
    },
  ];
}

test("an operator who decides for the commit, and a coordinator that takes a lost answer for a refusal: all or none", async (t) => {
  const purses = await createPurses();
  const both = purses.participants as [Participant, Participant];
  const gates = createGates();
  const patient = { abortAfterMs: 3_600_000, recoverEveryMs: 3_600_000 };
  const operator = purses.coordinator({ ...patient, participants: seenByOperator(both, gates) });
  let resolving: Promise<unknown> = Promise.resolve();
  const meanwhile = async () => {
    const [doubt] = (await operator.listInDoubt()).transactions;
    resolving = operator.resolve(doubt!.id, "commit", { operatorId: "operator-7", reason: "all of it is prepared" });
    const decided = () => purses.log.query("SELECT 1 FROM two_phase_decision");
    await until("the operator has decided", async () => ((await decided()).length > 0 ? true : undefined));
  };
  const coordinator = purses.coordinator({ ...patient, participants: seenByCoordinator(both, gates, meanwhile) });
  t.after(async () => {
    await coordinator.stop();
    await operator.stop();
    await purses.drop();
  });
  await operator.start();
  await coordinator.start();

  const id = newUuid();
  const [end] = await Promise.allSettled([move(coordinator, id)]);
  await resolving;
  const { amounts, moved } = await purses.look();
  assert.deepEqual(
    [amounts, moved],
    [
      [990, 1_010],
      [[id], [id]],
    ],
  );
  assert.equal(end.status, "fulfilled");
  assert.deepEqual((await operator.listInDoubt()).transactions, [], "no lock is left");
});
