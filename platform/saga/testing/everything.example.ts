import assert from "node:assert/strict";
import { child } from "../child.ts";
import { defineSaga, parallel, pivot, step } from "../define.ts";
import type { Answer, ChildEnd } from "../definition.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "../send-money.example.ts";
import type { Examples, Replies } from "./examples.ts";

/** What ledger and verification may say. */
export function plain(name: Parameters<typeof answered>[0]): Replies {
  return {
    done: answered(name).reply,
    refused: answered(name, "INVALID_REQUEST").reply,
    unavailable: answered(name, "UNAVAILABLE").reply,
  };
}

/** What the bank may say. */
export function bank(to: "send" | "inquire" | "void"): Replies {
  const said = (what: Parameters<typeof bankSaid>[1]) => bankSaid(to, what).reply;
  return {
    ...{ done: said("done"), refused: said("refused"), unavailable: said("unavailable"), unknown: said("unknown") },
    ...(to === "inquire" ? { notFound: said("notFound") } : {}),
  };
}

/** What the saga of the engine's own example is tried with. */
export const examples: Examples<ExampleState> = {
  states: [{ accountId: "a", amountMinor: 100n }],
  steps: {
    "verify-account": { ask: plain("verify") },
    "place-hold": { ask: plain("placeHold"), undo: plain("releaseHold") },
    send: {
      ask: bank("send"),
      inquire: bank("inquire"),
      void: { ...bank("void"), refused: bankSaid("void", "voided").reply },
    },
    settle: { ask: plain("settle") },
  },
};

const [verify, hold, send, settle] = exampleSaga.steps.map(({ ask }) => ask) as [Asked, Asked, Asked, Asked];
const [, { undo: release } = assert.fail(), { whenUnknown: inquire } = assert.fail()] = exampleSaga.steps;
/** An exchange of the example. */
export type Asked = (typeof exampleSaga.steps)[number]["ask"];

/** A child that expired is followed by another. */
function mayBeFollowed({ outcome, failure }: ChildEnd<ExampleState>): Answer<ExampleState> {
  if (outcome === "completed" || failure === undefined) return { kind: "done" };
  return { kind: failure.code === "EXPIRED" ? "unavailable" : "refused", failure };
}

/** One of everything: steps side by side, an inquiry before the pivot, another saga, one that only an operator knows of, one that is not always needed. */
export const everything = defineSaga<ExampleState>("everything", 1, [
  parallel([
    step("verify", { ask: verify, retries: 1 }),
    step("hold", { ask: hold, undo: release, retries: 1, when: ({ amountMinor }) => amountMinor > 0n }),
    child("other", { saga: exampleSaga, begin: ({ state }) => state }),
    step("reserve", { ask: send, whenUnknown: inquire, undo: release, retries: 2 }),
  ]),
  child("top-up", { saga: exampleSaga, begin: ({ state }) => state, undo: release, answer: mayBeFollowed, retries: 1 }),
  step("once", { ask: hold, undo: release, whenUnknown: "park" }),
  step("last", { ask: hold, undo: release, retries: 0, backoff: { firstMs: 500, maxMs: 1_000 } }),
  pivot("send", { ask: send, whenUnknown: "park" }),
  step("settle", { ask: settle, retries: "until-done", whenUnknown: inquire }),
  child("afterwards", { saga: exampleSaga, begin: ({ state }) => state, retries: "until-done" }),
]);
const other = {
  child: {
    completed: { accountId: "b", amountMinor: 1n },
    undone: { state: null, failure: { code: "BANK_REFUSED" as const, message: "no" } },
  },
};
const followed = {
  ...other.child,
  unavailable: { state: null, failure: { code: "EXPIRED" as const, message: "late" } },
};
const held = { ask: plain("placeHold"), undo: plain("releaseHold") };

/** With the hold beside the others, and without. */
export const everythingExamples: Examples<ExampleState> = {
  states: [100n, 0n].map((amountMinor) => ({ accountId: "a", amountMinor })),
  steps: {
    ...{ verify: { ask: plain("verify") }, hold: held, once: held, last: held },
    ...{ other, "top-up": { child: followed, undo: plain("releaseHold") }, afterwards: other },
    ...{ send: { ask: bank("send") }, settle: { ask: plain("settle"), inquire: bank("inquire") } },
    reserve: { ask: bank("send"), undo: plain("releaseHold"), inquire: bank("inquire") },
  },
};
