import { defineSaga, pivot, step } from "@ferry/platform/saga";
import {
  inquireAtBank,
  placeHold,
  releaseHold,
  sendToBank,
  settleHold,
  verifyAccount,
  voidAtBank,
  voidSettle,
} from "./exchanges.ts";
import type { TransferSagaState } from "./state.ts";

/**
 * Sends money to an account at another bank. Before the pivot every step can be undone; after it,
 * every step is retried until it succeeds. A reply may take as long as a call to the bank (2 s in
 * local mode) and a restart of the service that answers.
 */
export const sendMoney = defineSaga<TransferSagaState>("send-money", 1, [
  step("verify-account", { ask: verifyAccount, timeoutMs: 10_000, retries: 5 }),
  step("place-hold", { ask: placeHold, undo: releaseHold, timeoutMs: 10_000, retries: 3 }),
  pivot("send", { ask: sendToBank, whenUnknown: inquireAtBank, void: voidAtBank, timeoutMs: 10_000 }),
  step("settle", { ask: settleHold, timeoutMs: 10_000, retries: "until-done" }),
]);

/** Moves money to another account on the platform. */
export const moveMoney = defineSaga<TransferSagaState>("move-money", 1, [
  step("place-hold", { ask: placeHold, undo: releaseHold, timeoutMs: 10_000, retries: 3 }),
  pivot("settle", { ask: settleHold, void: voidSettle, timeoutMs: 10_000 }),
]);
