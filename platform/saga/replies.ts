import type { Message } from "@bufbuild/protobuf";
import type { Database, Transaction } from "@ferry/platform/db";
import type { Envelope } from "@ferry/platform/events";
import type { Logger } from "@ferry/platform/telemetry";
import type { Progress, ProgressKeeper } from "./progress.ts";
import type { Registry } from "./registry.ts";
import { lockSagas } from "./store.ts";
import { keepStrays } from "./strays.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface ReplyHandlerOptions {
  database: Database;
  progress: ProgressKeeper;
  registry: Registry;
  logger: Logger;
  now(): number;
}

/** Makes the handler that takes a set of replies on: one lock, one update, one outbox write for all of them. */
export function createReplyHandler({ database, progress, registry, logger, now }: ReplyHandlerOptions) {
  async function handle(tx: Transaction, set: readonly Envelope<Message>[]): Promise<void> {
    const ids = new Set(set.flatMap(({ sagaId }) => (sagaId !== undefined && UUID.test(sagaId) ? [sagaId] : [])));
    const sagas = await lockSagas(tx, [...ids]);
    const progressed = new Map<string, Progress>();
    const strays: Envelope<Message>[] = [];
    for (const envelope of set) {
      const saga = sagas.get(envelope.sagaId ?? "");
      if (saga === undefined) strays.push(envelope);
      else progressed.set(saga.id, withReply(progressed.get(saga.id) ?? unchanged(saga), envelope));
    }
    await progress.save(tx, [...progressed.values()]);
    if (strays.length === 0) return;
    await keepStrays(tx, strays, registry.replies, now());
    logger.warn({ count: strays.length, messageId: strays[0]?.id }, "replies for unknown sagas are kept aside");
  }

  /** Several replies of one saga in one set are taken on one after another. */
  function withReply(sofar: Progress, { sagaStep = "", message }: Envelope<Message>): Progress {
    const next = progress.decideOrPark(sofar.after, { kind: "reply", step: sagaStep, reply: message });
    return { before: sofar.before, after: next.after, messages: [...sofar.messages, ...next.messages] };
  }

  return async (set: readonly Envelope<Message>[]): Promise<void> => {
    if (set.length > 0) await database.transaction((tx) => handle(tx, set));
  };
}

function unchanged(saga: Progress["before"]): Progress {
  return { before: saga, after: saga, messages: [] };
}
