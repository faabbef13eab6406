import { isMessage, type Message } from "@bufbuild/protobuf";
import { CancelSagaSchema } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { type Database, isUuid, LOST_RACE, type Transaction } from "@ferry/platform/db";
import type { Envelope } from "@ferry/platform/events";
import type { Logger } from "@ferry/platform/telemetry";
import { failureOf } from "./answers.ts";
import type { KnownSagas } from "./known-sagas.ts";
import type { Progress, ProgressKeeper } from "./progress.ts";
import type { Registry } from "./registry.ts";
import type { Saga } from "./saga.ts";
import { lockSagas } from "./store.ts";
import { keepStrays } from "./strays.ts";

export interface ReplyHandlerOptions {
  database: Database;
  progress: ProgressKeeper;
  known: KnownSagas;
  registry: Registry;
  logger: Logger;
  now(): number;
}

/** Somebody else has changed a saga since it was read. Nothing is written, and the transaction is run again. */
class SagaChangedError extends Error {
  readonly code = LOST_RACE;

  constructor() {
    super("a saga has changed since it was read");
    this.name = "SagaChangedError";
  }
}

/**
 * Makes the handler that takes a set of replies on, in one transaction.
 *
 * Sagas that this process has written last are taken from memory: the update says which revision it
 * stands on. When one of them has changed meanwhile, or seems to have no use for its reply, nothing is
 * written, and the whole set is done again with all of its sagas read and locked. All is asked for in one turn, so
 * that COMMIT can leave with it.
 */
export function createReplyHandler({ database, progress, known, registry, logger, now }: ReplyHandlerOptions) {
  async function handle(tx: Transaction, set: readonly Envelope<Message>[], sagas: ReadonlyMap<string, Saga>) {
    const progressed = new Map<string, Progress>();
    const strays: Envelope<Message>[] = [];
    for (const envelope of set) {
      const saga = sagas.get(envelope.sagaId ?? "");
      if (saga === undefined) strays.push(envelope);
      else progressed.set(saga.id, withReply(progressed.get(saga.id) ?? progress.unchanged(saga), envelope));
    }
    for (const { before, after } of progressed.values())
      if (before === after && known.find(before.id) === before) throw new SagaChangedError();
    const kept = strays.length === 0 ? undefined : keepStrays(tx, strays, registry.replies, now());
    const [saved] = await Promise.all([progress.save(tx, [...progressed.values()], { isAll: true }), kept]);
    known.keepAfterCommit(tx, saved);
    if (strays.length === 0) return;
    logger.warn({ count: strays.length, messageId: strays[0]?.id }, "replies for unknown sagas are kept aside");
  }

  /** Several replies of one saga in one set are taken on one after another. */
  function withReply(sofar: Progress, { sagaStep = "", message }: Envelope<Message>): Progress {
    if (!isMessage(message, CancelSagaSchema))
      return progress.take(sofar, { kind: "reply", step: sagaStep, reply: message });
    const failure = message.failure === undefined ? {} : { failure: failureOf(message.failure) };
    return progress.take(sofar, { kind: "cancel", ...failure });
  }

  /** The sagas of those ids: from memory as far as they are known, the others locked. */
  async function sagasOf(tx: Transaction, ids: Iterable<string>): Promise<Map<string, Saga>> {
    const sagas = new Map<string, Saga>();
    const unknown: string[] = [];
    for (const id of ids) {
      const saga = known.find(id);
      if (saga === undefined) unknown.push(id);
      else sagas.set(id, saga);
    }
    if (unknown.length > 0) for (const [id, saga] of await lockSagas(tx, unknown)) sagas.set(id, saga);
    return sagas;
  }

  return async (set: readonly Envelope<Message>[]): Promise<void> => {
    if (set.length === 0) return;
    const ids = new Set<string>();
    for (const { sagaId } of set) if (sagaId !== undefined && isUuid(sagaId)) ids.add(sagaId);
    await database.transaction(async (tx, count) => {
      if (count > 1) known.forget(ids);
      await handle(tx, set, await sagasOf(tx, ids));
    });
  };
}
