import assert from "node:assert/strict";
import { test } from "node:test";
import { child } from "../child.ts";
import { defineSaga, parallel, pivot, step } from "../define.ts";
import type { Step } from "../definition.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "../send-money.example.ts";
import type { Replies } from "./examples.ts";
import { checkDefinition } from "./laws.ts";

function plain(name: Parameters<typeof answered>[0]): Replies {
  return {
    done: answered(name).reply,
    refused: answered(name, "INVALID_REQUEST").reply,
    unavailable: answered(name, "UNAVAILABLE").reply,
  };
}

function bank(to: "send" | "inquire"): Replies {
  const said = (what: Parameters<typeof bankSaid>[1]) => bankSaid(to, what).reply;
  return {
    ...{ done: said("done"), refused: said("refused"), unavailable: said("unavailable"), unknown: said("unknown") },
    ...(to === "inquire" ? { notFound: said("notFound") } : {}),
  };
}

const examples = {
  states: [{ accountId: "a", amountMinor: 100n }],
  steps: {
    "verify-account": { ask: plain("verify") },
    "place-hold": { ask: plain("placeHold"), undo: plain("releaseHold") },
    send: { ask: bank("send"), inquire: bank("inquire") },
    settle: { ask: plain("settle") },
  },
};

const [verify, hold, send, settle] = exampleSaga.steps.map(({ ask }) => ask) as [Asked, Asked, Asked, Asked];
const [, { undo: release } = assert.fail(), { whenUnknown: inquire } = assert.fail()] = exampleSaga.steps;
type Asked = (typeof exampleSaga.steps)[number]["ask"];

/** One of everything: steps side by side, an inquiry before the pivot, another saga, one that only an operator knows of, one that is not always needed. */
const everything = defineSaga<ExampleState>("everything", 1, [
  parallel([
    step("verify", { ask: verify, retries: 1 }),
    step("hold", { ask: hold, undo: release, retries: 1, when: ({ amountMinor }) => amountMinor > 0n }),
    child("other", { saga: exampleSaga, begin: ({ state }) => state }),
    step("reserve", { ask: send, whenUnknown: inquire, undo: release, retries: 2 }),
  ]),
  child("top-up", { saga: exampleSaga, begin: ({ state }) => state, undo: release }),
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
const held = { ask: plain("placeHold"), undo: plain("releaseHold") };

test("the example keeps the laws, and the runs come to every kind of end", () => {
  const { runs, completed, undone, parked } = checkDefinition(exampleSaga, examples);
  assert.ok(completed > 1_000 && undone > 500 && parked > 300, `${runs}: ${completed}, ${undone}, ${parked}`);
});

test("a saga of all that a table may hold keeps the laws", () => {
  const { runs, completed, undone, parked } = checkDefinition(everything, {
    states: [100n, 0n].map((amountMinor) => ({ accountId: "a", amountMinor })),
    steps: {
      ...{ verify: examples.steps["verify-account"], hold: held, once: held, last: held },
      ...{ other, "top-up": { ...other, undo: plain("releaseHold") }, afterwards: other },
      ...{ send: { ask: bank("send") }, settle: { ask: plain("settle"), inquire: bank("inquire") } },
      reserve: { ask: bank("send"), undo: plain("releaseHold"), inquire: bank("inquire") },
    },
  });
  assert.ok(completed > 10_000 && undone > 10_000 && parked > 1_000, `${runs}: ${completed}, ${undone}, ${parked}`);
});

test("a definition that breaks a law is found, with the faults that showed it", () => {
  let count = 0;
  const fickle: Asked = { ...verify, ask: (saga) => ({ ...verify.ask(saga), reference: String(count++) }) as never };
  const [first, ...rest] = exampleSaga.steps as [Step<ExampleState>, ...Step<ExampleState>[]];
  const broken = (ask: Asked) => defineSaga("broken", 1, [{ ...first, ask }, ...rest]);
  assert.throws(() => checkDefinition(broken(fickle), examples), /verify-account.*asks something else than before/);
  const throwing: Asked = { ...settle, ask: () => assert.fail("a bug") };
  assert.throws(
    () =>
      checkDefinition(
        defineSaga("broken", 1, [...exampleSaga.steps.slice(0, 3), { ...rest[2]!, ask: throwing }]),
        examples,
      ),
    /nothing wrong.*a bug/,
  );
  const wrong = {
    ...examples,
    steps: { ...examples.steps, settle: { ask: { ...plain("settle"), refused: plain("settle").done } } },
  };
  assert.throws(() => checkDefinition(exampleSaga, wrong), /example of ask that is refused means done/);
  const missing = { ...examples, steps: { ...examples.steps, send: { ask: bank("send") } } };
  assert.throws(() => checkDefinition(exampleSaga, missing), /step send has no example of inquire/);
});
