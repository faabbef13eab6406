import type { Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { advance, type SagaInput } from "./decide.ts";
import { type Backoff, type Circumstances, type Decision, park } from "./moves.ts";
import type { Registry } from "./registry.ts";
import { dueAtMsOf, type Saga, stepNameOf } from "./saga.ts";
import { updateSagas } from "./store.ts";

/** A saga before and after what one transaction did to it. */
export interface SagaChange {
  before: Saga;
  after: Saga;
}

/** A change with the commands that leave with it. */
export interface Progress extends SagaChange {
  messages: readonly OutgoingMessage[];
}

export interface ProgressOptions {
  registry: Registry;
  outbox: Outbox;
  /** Topic that the answers go to. */
  replyTopic: string;
  parkAfterMs: number;
  backoff: Backoff;
  logger: Logger;
  onChange(tx: Transaction, changes: readonly SagaChange[]): Promise<void>;
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
    return { before, after: decision.saga, messages: messagesOf(decision) };
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

  /**
   * Writes what changed, once for a whole set, and lets the owner write beside it. All statements leave
   * together: none waits for another's result.
   *
   * @returns the sagas as they are once this is committed.
   * @throws SagaChangedError when a saga that was not locked is not as it was known.
   */
  async function save(tx: Transaction, progress: readonly Progress[]): Promise<Saga[]> {
    const changed = progress
      .filter(({ before, after }) => before !== after)
      .map(({ before, after, messages }) => ({
        ...{ before, messages, sent: messages.length > 0 },
        after: { ...after, revision: before.revision + 1 },
      }))
      .sort((a, b) => (a.after.id < b.after.id ? -1 : 1)); // in id order, as they are locked
    if (changed.length === 0) return [];
    // A clock that was started anew is nothing that a reader could see.
    const visible = changed.filter(
      ({ before, after }) => before.steps !== after.steps || before.status !== after.status,
    );
    await Promise.all([
      updateSagas(tx, changed),
      visible.length > 0 ? options.onChange(tx, visible) : undefined,
      send(tx, changed),
    ]);
    for (const { before, after } of visible)
      if (after.waiting.for === "operator" && before.waiting.for !== "operator")
        logger.warn({ sagaId: after.id, step: stepNameOf(after), reason: after.waiting.reason.code }, "saga parked");
    return changed.map(({ after }) => after);
  }

  /** Hands the commands to the outbox and sets the alarm for their answers. */
  async function send(tx: Transaction, progress: readonly Progress[]): Promise<void> {
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const { after } of progress) dueAtMs = Math.min(dueAtMs, dueAtMsOf(after) ?? dueAtMs);
    if (Number.isFinite(dueAtMs)) tx.afterCommit(() => wakeBy(dueAtMs));
    const messages = progress.flatMap((each) => each.messages);
    if (messages.length > 0) await outbox.add(tx, messages);
  }

  return { decide, decideOrPark, save, send };
}

export type ProgressKeeper = ReturnType<typeof createProgress>;
