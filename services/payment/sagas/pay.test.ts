import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type PlaceHoldRequest,
  PlaceHoldResponseSchema,
  ReleaseHoldResponseSchema,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { create } from "@ferry/platform/codec";
import { checkDefinition, childEnded, type Examples, given, reply } from "@ferry/platform/saga/testing";
import { pay } from "./pay.ts";
import type { PaySagaState } from "./pay-state.ts";

const topUp = { bankCode: "081", accountNumber: "1100000001", amountMinor: undefined };
const plain: PaySagaState = {
  memberId: "payer",
  sourceAccountId: "s",
  merchantAccountId: "m",
  currency: "EUR",
  amountMinor: 100n,
  memo: "",
  topUp: undefined,
};
const withTopUp: PaySagaState = { ...plain, topUp };
const short = {
  failure: { code: "INSUFFICIENT_BALANCE", message: "short" },
  missing: { currency: "EUR", minorUnits: 30n },
};
const refused = { failure: { code: "INSUFFICIENT_BALANCE", message: "short" } };
const held = reply("place-hold", PlaceHoldResponseSchema);
const released = (step: string) => reply(step, ReleaseHoldResponseSchema);
const settled = reply("settle", SettleHoldResponseSchema);
const broughtIn = { outcome: "completed", state: {} } as const;

test("with enough money: held and settled, and neither top-up nor second hold is needed", () => {
  given(pay)
    .state(withTopUp)
    .when(held)
    .gives({ commands: ["settle:ask"], steps: { "top-up": "not-needed", "place-hold-again": "not-needed" } })
    .when(settled)
    .gives({ status: "completed" });
});

test("short: what is missing is brought in, the same hold is asked for again, and settled", () => {
  const story = given(pay).state(withTopUp);
  story
    .when(reply("place-hold", PlaceHoldResponseSchema, short))
    .gives({ commands: ["top-up:begin"], steps: { "place-hold": "done", "top-up": "running" } })
    .when(childEnded("top-up", broughtIn))
    .gives({ commands: ["place-hold-again:ask"] })
    .when(reply("place-hold-again", PlaceHoldResponseSchema))
    .gives({ commands: ["settle:ask"] })
    .when(settled)
    .gives({ status: "completed" });
  const asked = story.stage.commands
    .filter(({ step }) => step.startsWith("place-hold"))
    .map((command) => command.exchange.ask(story.stage.saga) as PlaceHoldRequest);
  assert.equal(asked.length, 2);
  assert.equal(asked[0]?.transferId, asked[1]?.transferId, "one hold, asked for twice");
  assert.deepEqual(
    asked.map(({ provisional }) => provisional),
    [true, false],
  );
});

test("a top-up that fails fails the payment, and the question for the hold is taken back", () => {
  given(pay)
    .state(withTopUp)
    .when(reply("place-hold", PlaceHoldResponseSchema, short))
    .when(childEnded("top-up", { outcome: "undone", state: {}, failure: { code: "MANDATE_MISSING", message: "none" } }))
    .gives({ commands: ["place-hold:undo"], failure: "MANDATE_MISSING" })
    .when(released("place-hold"))
    .gives({ status: "undone", failure: "MANDATE_MISSING" });
});

test("when somebody else has spent what was brought in, the payment fails; the top-up stays", () => {
  given(pay)
    .state(withTopUp)
    .when(reply("place-hold", PlaceHoldResponseSchema, short), childEnded("top-up", broughtIn))
    .when(reply("place-hold-again", PlaceHoldResponseSchema, refused))
    .gives({ commands: ["place-hold:undo"], steps: { "top-up": "done" } })
    .when(released("place-hold"))
    .gives({ status: "undone", failure: "INSUFFICIENT_BALANCE" });
});

test("a stated amount below what is missing brings in nothing: the second hold is refused for good", () => {
  given(pay)
    .state({ ...plain, topUp: { ...topUp, amountMinor: 29n } })
    .when(reply("place-hold", PlaceHoldResponseSchema, short))
    .gives({ commands: ["place-hold-again:ask"], steps: { "top-up": "not-needed" } });
});

test("without a top-up a lack of money is a refusal, clean at the first attempt", () => {
  given(pay)
    .state(plain)
    .when(reply("place-hold", PlaceHoldResponseSchema, refused))
    .gives({ status: "undone", failure: "INSUFFICIENT_BALANCE", commands: [] });
});

test("an operator who undoes a settle that has stopped: the hold is released first, and the payment completes where it was settled", () => {
  const stopped = () =>
    given(pay)
      .state(plain)
      .when(held, (stage) => {
        stage.park();
        return undefined;
      })
      .when({ kind: "undo" })
      .gives({ commands: ["settle:void"], status: "running", steps: { settle: "unknown" } });
  stopped()
    .when(released("settle"))
    .gives({ commands: ["place-hold:undo"], status: "undoing", failure: "ENDED_BY_OPERATOR" })
    .when(released("place-hold"))
    .gives({ status: "undone", failure: "ENDED_BY_OPERATOR" });
  const late = { failure: { code: "HOLD_RELEASED", message: "it is over" } };
  stopped()
    .when(reply("settle", ReleaseHoldResponseSchema, late))
    .gives({ status: "completed", failure: null });
  stopped().when(settled).gives({ status: "completed" });
  const failed = { failure: { code: "REFERENCE_REUSED", message: "another's" } };
  stopped()
    .when(reply("settle", ReleaseHoldResponseSchema, failed))
    .gives({ commands: [], status: "running" });
});

const replies = <T>(done: T, no: T, later: T) => ({ done, refused: no, unavailable: later });
const holdReplies = replies(
  create(PlaceHoldResponseSchema, {}),
  create(PlaceHoldResponseSchema, { failure: { code: "ACCOUNT_CLOSED", message: "closed" } }),
  create(PlaceHoldResponseSchema, { failure: { code: "UNAVAILABLE", message: "later" } }),
);
const releaseReplies = replies(
  create(ReleaseHoldResponseSchema, {}),
  create(ReleaseHoldResponseSchema, { failure: { code: "HOLD_RELEASED", message: "settled" } }),
  create(ReleaseHoldResponseSchema, { failure: { code: "UNAVAILABLE", message: "later" } }),
);
/** With too little money at first: so every step is needed, or all but the top-up. */
const examples: Examples<PaySagaState> = {
  states: [withTopUp, { ...plain, topUp: { ...topUp, amountMinor: 29n } }],
  steps: {
    "place-hold": { ask: { ...holdReplies, done: create(PlaceHoldResponseSchema, short) }, undo: releaseReplies },
    "top-up": {
      child: { completed: {}, undone: { state: {}, failure: { code: "MANDATE_MISSING", message: "none" } } },
    },
    "place-hold-again": { ask: holdReplies, undo: releaseReplies },
    settle: {
      ask: replies(
        create(SettleHoldResponseSchema, {}),
        create(SettleHoldResponseSchema, { failure: { code: "AMOUNT_OUT_OF_RANGE", message: "full" } }),
        create(SettleHoldResponseSchema, { failure: { code: "UNAVAILABLE", message: "later" } }),
      ),
      void: {
        done: create(ReleaseHoldResponseSchema, { failure: { code: "HOLD_RELEASED", message: "settled" } }),
        refused: create(ReleaseHoldResponseSchema, {}),
        unavailable: "never",
        unknown: create(ReleaseHoldResponseSchema, { failure: { code: "UNAVAILABLE", message: "later" } }),
      },
    },
  },
};

test("the laws of sagas hold, whatever goes wrong at each step", () => {
  const { runs, completed, undone, parked, voided } = checkDefinition(pay, examples);
  assert.ok(
    runs > 1_000 && completed > 100 && undone > 100 && parked > 0 && voided > 20,
    JSON.stringify({ runs, completed, undone }),
  );
});
