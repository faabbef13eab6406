import { CancelSagaSchema, SagaEndedSchema } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { endedMessage } from "./child.ts";
import { advance, type SagaInput } from "./decide.ts";
import type { Backoff } from "./definition.ts";
import { countBegun, countEnds } from "./metrics.ts";
import { type ChildOrder, type Circumstances, type Decision, park } from "./moves.ts";
import { newSaga } from "./newborn.ts";
import type { Registry } from "./registry.ts";
import { dueAtMsOf, hasEnded, type Saga, stepNameOf } from "./saga.ts";
import { insertChildren, updateSagas } from "./store.ts";

/** A saga before and after what one transaction did to it. */
export interface SagaChange {
  before: Saga;
  after: Saga;
}

/** A change with the commands that leave with it. */
export interface Progress extends SagaChange {
  messages: readonly OutgoingMessage[];
  /** Sagas that it begins, and those that these begin. */
  begun?: readonly Progress[];
}

export interface ProgressOptions {
  registry: Registry;
  outbox: Outbox;
  /** Topic that the answers go to. */
  replyTopic: string;
  parkAfterMs: number;
  backoff: Backoff;
  logger: Logger;
  onChange(tx: Transaction, changes: readonly SagaChange[], begun: readonly Saga[]): Promise<void>;
  /** Whether `onChange` asks for all its statements in its first turn. */
  asksAtOnce(changes: readonly SagaChange[], begun: readonly Saga[]): boolean;
  /** Unix time in milliseconds. */
  now(): number;
  random(): number;
  /** Hears after a commit when the next saga of it is due. */
  wakeBy(dueAtMs: number): void;
}

/** Takes decisions to the database: the only place where a decision becomes rows and messages. */
export function createProgress(options: ProgressOptions) {
  const { registry, outbox, replyTopic, logger, now, wakeBy } = options;

  function circumstances(): Circumstances {
    const { parkAfterMs, backoff, random } = options;
    return { nowMs: now(), random: random(), parkAfterMs, backoff };
  }

  function messagesOf({ saga, commands }: Decision): OutgoingMessage[] {
    return commands.map(({ id, step, exchange, ttlMs }) => ({
      id,
      schema: exchange.request,
      message: exchange.ask(saga),
      sagaId: saga.id,
      sagaStep: step,
      replyTo: replyTopic,
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(saga.traceparent === undefined ? {} : { traceparent: saga.traceparent }),
    }));
  }

  /**
   * What an input does to a saga.
   *
   * @throws FerryError SAGA_VERSION_UNKNOWN; whatever the definition's own code throws.
   */
  function decide(before: Saga, input: SagaInput): Progress {
    const definition = registry.find(before.definition, before.version);
    if (definition === undefined) {
      const message = `this server does not know version ${before.version} of the saga ${before.definition}`;
      throw new FerryError("SAGA_VERSION_UNKNOWN", message);
    }
    const decision = advance(definition, before, input, circumstances());
    const { saga: after } = decision;
    const messages = messagesOf(decision);
    if (decision.children === undefined && after.parent === undefined) return { before, after, messages };
    if (hasEnded(after) && !hasEnded(before)) messages.push(...endFor(after));
    for (const order of decision.children ?? []) if (order.kind === "cancel") messages.push(cancelOf(after, order));
    return { before, after, messages, begun: begunBy(decision) };
  }

  /** What the saga that waits for this one's end is told. */
  function endFor(saga: Saga): OutgoingMessage[] {
    const { id, parent, traceparent } = saga;
    if (parent === undefined) return [];
    const facts = { id: `${id}:ended`, topic: replyTopic, sagaId: parent.id, sagaStep: parent.step, traceparent };
    return [{ ...facts, schema: SagaEndedSchema, message: endedMessage(saga) }];
  }

  function cancelOf(
    { id, traceparent }: Saga,
    { id: childId, step, failure }: Extract<ChildOrder, { kind: "cancel" }>,
  ): OutgoingMessage {
    const facts = { id: `${id}:${step}:cancel`, topic: replyTopic, sagaId: childId, traceparent };
    const message = create(CancelSagaSchema, { sagaId: childId, failure });
    return { ...facts, schema: CancelSagaSchema, message };
  }

  function begunBy({ saga, children = [] }: Decision): Progress[] {
    return children.flatMap((order) => {
      if (order.kind !== "begin") return [];
      const { id, step, child } = order;
      const given = { id, state: child.begin(saga), traceparent: saga.traceparent };
      const parent = { id: saga.id, step };
      const begun = decide({ ...newSaga(child.definition, given, now()), parent }, { kind: "started" });
      return [begun, ...(begun.begun ?? [])];
    });
  }

  /** As decide, for what comes by itself: a saga that this server cannot take further is parked, never guessed at. */
  function decideOrPark(before: Saga, input: SagaInput): Progress {
    try {
      return decide(before, input);
    } catch (error) {
      const known = error instanceof FerryError && error.reason === "SAGA_VERSION_UNKNOWN";
      if (!known) logger.error({ sagaId: before.id, error: String(error) }, "the saga's definition failed");
      const message = known ? error.message : `the definition failed at step ${stepNameOf(before)}`;
      const reason = { code: known ? "SAGA_VERSION_UNKNOWN" : "INTERNAL", message } as const;
      const after = before.status === "parked" ? before : park(before, reason, now());
      return { before, after, messages: [] };
    }
  }

  const unchanged = (saga: Saga): Progress => ({ before: saga, after: saga, messages: [] });

  /** What a further input does to a saga, on top of what others did in the same transaction. */
  function take({ before, after, messages, begun = [] }: Progress, input: SagaInput): Progress {
    const next = decideOrPark(after, input);
    const all = { before, after: next.after, messages: [...messages, ...next.messages] };
    return begun.length === 0 && next.begun === undefined ? all : { ...all, begun: [...begun, ...(next.begun ?? [])] };
  }

  /**
   * Writes what changed, once for a whole set, and lets the owner write beside it. All statements leave
   * together: none waits for another's result.
   *
   * When a saga that was not locked is not as it was known, the transaction fails as a lost race.
   *
   * @param isAll The caller asks for nothing after this turn: where the owner does not either, COMMIT leaves with it.
   * @returns the sagas as they are once this is committed, those that were begun last.
   */
  async function save(tx: Transaction, progress: readonly Progress[], { isAll = false } = {}): Promise<Saga[]> {
    const changed = progress
      .filter(({ before, after }) => before !== after)
      .map(({ before, after, messages, begun }) => ({
        ...{ before, messages, sent: messages.length > 0, ...(begun === undefined ? {} : { begun }) },
        after: { ...after, revision: before.revision + 1 },
      }))
      .sort((a, b) => (a.after.id < b.after.id ? -1 : 1)); // in id order, as they are locked
    if (changed.length === 0) return [];
    const newborn = changed.flatMap(({ begun = [] }) => begun);
    const children = newborn.map(({ after }) => after);
    // A clock that was started anew is nothing that a reader could see.
    const visible = changed.filter(
      ({ before, after }) => before.steps !== after.steps || before.status !== after.status,
    );
    const isHeard = visible.length > 0 || children.length > 0;
    const saved = Promise.all([
      updateSagas(tx, changed),
      children.length > 0 ? insertChildren(tx, children) : undefined,
      isHeard ? options.onChange(tx, visible, children) : undefined,
      send(tx, children.length > 0 ? [...changed, ...newborn] : changed),
    ]);
    if (isAll && (!isHeard || options.asksAtOnce(visible, children))) tx.conclude();
    await saved;
    countEnds(tx, visible);
    countBegun(tx, children);
    for (const { before, after } of visible)
      if (after.waiting.for === "operator" && before.waiting.for !== "operator")
        logger.warn({ sagaId: after.id, step: stepNameOf(after), reason: after.waiting.reason.code }, "saga parked");
    return [...changed.map(({ after }) => after), ...children];
  }

  /**
   * Sends the first commands of new sagas, which the caller inserts, and begins what these begin.
   *
   * @returns the sagas that they began.
   */
  async function begin(tx: Transaction, begun: readonly Progress[]): Promise<Saga[]> {
    const newborn = begun.flatMap((each) => each.begun ?? []);
    countBegun(
      tx,
      [...begun, ...newborn].map(({ after }) => after),
    );
    if (newborn.length === 0) {
      await send(tx, begun);
      return [];
    }
    const children = newborn.map(({ after }) => after);
    await Promise.all([
      insertChildren(tx, children),
      options.onChange(tx, [], children),
      send(tx, [...begun, ...newborn]),
    ]);
    return children;
  }

  /** Hands the commands to the outbox and sets the alarm for their answers. */
  async function send(tx: Transaction, progress: readonly Progress[]): Promise<void> {
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const { after } of progress) dueAtMs = Math.min(dueAtMs, dueAtMsOf(after) ?? dueAtMs);
    if (Number.isFinite(dueAtMs)) tx.afterCommit(() => wakeBy(dueAtMs));
    const messages = progress.flatMap((each) => each.messages);
    if (messages.length > 0) await outbox.add(tx, messages);
  }

  return { decide, decideOrPark, unchanged, take, save, begin };
}

export type ProgressKeeper = ReturnType<typeof createProgress>;
