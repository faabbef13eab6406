import { defineSaga, pivot, step } from "@ferry/platform/saga";
import {
  awaitBatch,
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

/** Name of the step at which a line of an all-or-nothing batch waits for the others. */
export const GATE = "await-batch";

/**
 * The gate before the pivot. Only the batch's verdict opens or shuts it, and the batch has a time of its own: a saga
 * that gave up by itself could turn back after the verdict that every line is held. So it asks for as long as it takes.
 */
const gate = step<TransferSagaState>(GATE, { ask: awaitBatch, timeoutMs: 60_000, retries: 1_000_000 });

/** A line of an all-or-nothing batch to an account at another bank. */
export const sendInBatch = defineSaga<TransferSagaState>("send-money-in-batch", 1, [
  step("verify-account", { ask: verifyAccount, timeoutMs: 10_000, retries: 5 }),
  step("place-hold", { ask: placeHold, undo: releaseHold, timeoutMs: 10_000, retries: 3 }),
  gate,
  pivot("send", { ask: sendToBank, whenUnknown: inquireAtBank, void: voidAtBank, timeoutMs: 10_000 }),
  step("settle", { ask: settleHold, timeoutMs: 10_000, retries: "until-done" }),
]);

/** A line of an all-or-nothing batch to another account on the platform. */
export const moveInBatch = defineSaga<TransferSagaState>("move-money-in-batch", 1, [
  step("place-hold", { ask: placeHold, undo: releaseHold, timeoutMs: 10_000, retries: 3 }),
  gate,
  pivot("settle", { ask: settleHold, void: voidSettle, timeoutMs: 10_000 }),
]);

/** The saga of a transfer. @param gated Whether it waits for the other lines of its batch before it sends. */
export function definitionOf(destination: "account" | "bank", gated: boolean): string {
  if (gated) return destination === "bank" ? sendInBatch.name : moveInBatch.name;
  return destination === "bank" ? "send-money" : "move-money";
}
