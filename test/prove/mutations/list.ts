import type { Patch } from "../../support/patches.ts";

/** A mechanism that is turned off from outside, and the part of the proof that must notice. */
export interface Mutation {
  name: string;
  what: string;
  patch: Patch;
  /** The cheapest test that has to go red. */
  test: { file: string; name: string };
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "natural-key",
    what: "the ledger takes a command that comes again for a new one",
    patch: {
      module: "services/ledger/domain/place-hold.ts",
      find: "if (known !== undefined) return answerAgain(known, command);",
      replace: "if (known === undefined && command.amountMinor < 0n) return answerAgain(known as never, command);",
    },
    test: {
      file: "test/faults/duplicates.int.test.ts",
      name: "F8 every message of the bus again, when all have ended",
    },
  },
  {
    name: "inbox",
    what: "the inbox admits a message that was handled before",
    patch: {
      module: "platform/inbox/inbox.ts",
      find: "return [...first.values()].filter(({ id }) => admitted.has(id));",
      replace: "return [...first.values()].filter(({ id }) => admitted.has(id) || id !== undefined);",
    },
    test: {
      file: "platform/inbox/redelivery.int.test.ts",
      name: "a set that is lost before its commit, and comes again after it",
    },
  },
  {
    name: "watermark",
    what: "the outbox reads beyond the oldest transaction that is still open",
    patch: {
      module: "platform/outbox/store.ts",
      find: "SELECT pg_snapshot_xmin(snapshot)::text AS oldest",
      replace: "SELECT pg_snapshot_xmax(snapshot)::text AS oldest",
    },
    test: { file: "test/faults/outbox-order.int.test.ts", name: "F18 T1 writes and waits, T2 commits, T1 commits" },
  },
  {
    name: "undo",
    what: "the undo of a step is registered when its answer comes, not before it is asked",
    patch: {
      module: "platform/saga/turn-back.ts",
      find: "const undoneToo = !withoutEffect && ",
      replace: "const undoneToo = false && !withoutEffect && ",
    },
    test: { file: "test/faults/known-defects.int.test.ts", name: "a time-out that does not give back a position" },
  },
  {
    name: "read-back",
    what: "an unknown outcome is taken for a failure, and the bank is not asked",
    patch: {
      module: "platform/saga/decide.ts",
      find: 'return again(turn, inquiryOf(step) === undefined ? "ask" : "inquire", failure);',
      replace: 'return inquiryOf(step) === undefined ? again(turn, "ask", failure) : turnBack(turn, failure, true);',
    },
    test: { file: "test/faults/unknown-outcome.int.test.ts", name: "F33 the bank pays, and its answer is cut off" },
  },
  {
    name: "void",
    what: "an operator's undo of a pivot does not wait for its receiver to rule it out",
    patch: {
      module: "platform/saga/by-operator.ts",
      find: "return isRuledOut ? turnAllBack(",
      replace: "return isRuledOut || !isRuledOut ? turnAllBack(",
    },
    test: {
      file: "test/faults/undone-pivot.int.test.ts",
      name: "a pivot undone, and its command comes after that",
    },
  },
];
