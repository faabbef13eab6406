import assert from "node:assert/strict";
import { test } from "node:test";
import { defineSaga } from "../define.ts";
import type { Step } from "../definition.ts";
import { type ExampleState, exampleSaga } from "../send-money.example.ts";
import { type Asked, bank, everything, everythingExamples, examples, plain } from "./everything.example.ts";
import { checkDefinition } from "./laws.ts";

test("the example keeps the laws, and the runs come to every kind of end", () => {
  const { runs, completed, undone, parked, voided } = checkDefinition(exampleSaga, examples);
  assert.ok(completed > 1_000 && undone > 500 && parked > 300, `${runs}: ${completed}, ${undone}, ${parked}`);
  assert.ok(voided > 50, `${voided} of ${runs} were voided`);
});

test("a saga of all that a table may hold keeps the laws", () => {
  const { runs, completed, undone, parked } = checkDefinition(everything, everythingExamples);
  assert.ok(completed > 10_000 && undone > 10_000 && parked > 1_000, `${runs}: ${completed}, ${undone}, ${parked}`);
});

test("a definition that breaks a law is found, with the faults that showed it", () => {
  const [verify, , , settle] = exampleSaga.steps.map(({ ask }) => ask) as [Asked, Asked, Asked, Asked];
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
  const missing = { ...examples, steps: { ...examples.steps, send: { ask: bank("send"), void: bank("void") } } };
  assert.throws(() => checkDefinition(exampleSaga, missing), /step send has no example of inquire/);
});
