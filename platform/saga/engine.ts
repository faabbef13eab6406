import type { Message } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import { type Component, createAlarm } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { CANCELED } from "./decide.ts";
import type { Backoff, SagaDefinition, SagaFailure } from "./definition.ts";
import { createDueRound } from "./due.ts";
import { createKnownSagas } from "./known-sagas.ts";
import { showSagas, swept } from "./metrics.ts";
import { type BeginSaga, newSaga } from "./newborn.ts";
import { createSagaOperators, type SagaOperators } from "./operators.ts";
import { createProgress, type SagaChange } from "./progress.ts";
import { createRegistry } from "./registry.ts";
import { createReplyHandler } from "./replies.ts";
import { createRetention } from "./retention.ts";
import { parkedSagaRoutes } from "./rpc.ts";
import { hasEnded, type Saga } from "./saga.ts";
import { findSagas, insertSagas, lockSagas } from "./store.ts";
import { createStraySweep } from "./strays.ts";

const DEFAULT_PARK_AFTER_MS = 24 * 3_600_000;
const DEFAULT_BACKOFF: Backoff = { firstMs: 200, maxMs: 5_000 };
const DEFAULT_POLL_MS = 2_000;
const DEFAULT_KEEP_ENDED_MS = 30 * 24 * 3_600_000;

export interface SagaEngineOptions {
  database: Database;
  outbox: Outbox;
  bus: Bus;
  /** All versions that may still be under way. What their steps begin is known with them. */
  definitions: readonly SagaDefinition<unknown>[];
  /**
   * The version that new sagas of a name begin with. Default the highest. A release that brings a new version names
   * the old one here while replicas run that do not know the new one: these would park it.
   */
  beginWith?: Readonly<Record<string, number>>;
  /** As "ferry.transfer.replies.v1". */
  replyTopic: string;
  /** Consumer group on the topic of replies. */
  group: string;
  /** How long one step is tried before the saga is parked, in milliseconds. Default 24 hours. */
  parkAfterMs?: number;
  logger: Logger;
  /**
   * Hears of a set of sagas that moved on, in id order, inside the transaction that moves them: the
   * owner writes its own rows and events here. A saga that moved several times in one set comes
   * once, as before the first and after the last move. Not called for what `begin` begins.
   * What it asks of the transaction in its first turn leaves together with the engine's own statements.
   *
   * @param begun Sagas that steps of others began in this transaction, as they are after their first
   * step was entered; each names its `parent`. Here the owner writes the rows that it would otherwise
   * write beside `begin`. They come once, and from then on like all others in `changes`. There may be
   * some without any change, when `begin` begins a saga whose first step begins another.
   */
  onChange?(tx: Transaction, changes: readonly SagaChange[], begun: readonly Saga[]): Promise<void>;
  /**
   * Whether `onChange` asks for all its statements of these changes in its first turn, and looks at no answer before
   * the commit: then COMMIT leaves with them. Default: never.
   */
  asksAtOnce?(changes: readonly SagaChange[], begun: readonly Saga[]): boolean;
  /** Pauses between tries. Default 200 ms, doubled up to 5 s, less up to half by chance. */
  backoff?: Backoff;
  /** How often the database is looked at for what other instances left, in milliseconds. Default 2,000, at least 1,000. */
  pollMs?: number;
  /** How long a saga is kept after its end, in milliseconds. Default 30 days, at least 7. */
  keepEndedMs?: number;
  /** Unix time in milliseconds. Default the system's clock. */
  now?(): number;
  /** From 0 to 1. */
  random?(): number;
}

/** What a request to cancel came to. */
export type CancelOutcome = "canceling" | "too-late" | "ended" | "unknown";

export interface SagaEngine extends SagaOperators, Required<Component> {
  /**
   * Begins a set of sagas in the caller's transaction: rows and first commands. Gives them in the order asked.
   *
   * @throws Error when a definition is not known; what PostgreSQL throws when an id is not new.
   */
  begin(tx: Transaction, requests: readonly BeginSaga[]): Promise<Saga[]>;
  /**
   * Takes a saga back if its pivot was not asked yet. "canceling": it is on its way back at the member's
   * wish, or there already, so canceling twice is canceling once; "too-late": past the pivot, parked there,
   * or already failing for another cause; "ended": in another way; "unknown": there is no such saga.
   *
   * @param failure What it fails with. Default CANCELED_BY_MEMBER.
   */
  cancel(tx: Transaction, id: string, failure?: SagaFailure): Promise<CancelOutcome>;
  find(queryable: Queryable, ids: readonly string[]): Promise<Map<string, Saga>>;
  /** Takes a set of replies on, in one transaction. The component's start subscribes it to the topic of replies. */
  handleReplies(set: readonly Envelope<Message>[]): Promise<void>;
  /** Serves ferry.saga.v1.ParkedSagaService. */
  routes(router: ConnectRouter): void;
}

/** The engine that takes sagas from step to step. Any number of instances may work on one database. */
export function createSagaEngine(options: SagaEngineOptions): SagaEngine {
  const { database, outbox, bus, logger, now = Date.now, random = Math.random } = options;
  const registry = createRegistry(options.definitions, options.beginWith);
  const pollMs = Math.max(options.pollMs ?? DEFAULT_POLL_MS, 1_000);
  const progress = createProgress({
    registry,
    outbox,
    replyTopic: options.replyTopic,
    parkAfterMs: options.parkAfterMs ?? DEFAULT_PARK_AFTER_MS,
    backoff: options.backoff ?? DEFAULT_BACKOFF,
    logger,
    onChange: options.onChange ?? (() => Promise.resolve()),
    asksAtOnce: options.asksAtOnce ?? (() => options.onChange === undefined),
    now,
    random,
    wakeBy: (dueAtMs) => alarm.wakeBy(dueAtMs),
  });
  const alarm = createAlarm({
    ring: createDueRound({ database, outbox, progress, takeStrays: () => takeStrays(), pollMs, now }),
    what: "sagas that are due could not be taken on",
    ...{ pollMs, logger, now },
  });
  const { group, keepEndedMs = DEFAULT_KEEP_ENDED_MS } = options;
  const retention = createRetention({ database, keepEndedMs, group, logger, now });
  const known = createKnownSagas();
  const handleReplies = createReplyHandler({ database, progress, known, registry, logger, now });
  const { replies: schemas } = registry;
  const takeStrays = createStraySweep({ queryable: database, handleReplies, schemas, took: swept.strays });
  const operators = createSagaOperators({ database, registry, progress, now });
  let subscription: Subscription | undefined;
  let hide = () => {};

  async function begin(tx: Transaction, requests: readonly BeginSaga[]): Promise<Saga[]> {
    if (requests.length === 0) return [];
    const nowMs = now();
    const begun = requests.map((request) =>
      progress.decide(newSaga(registry.getForNew(request.definition), request, nowMs), { kind: "started" }),
    );
    const sagas = begun.map(({ after }) => after);
    const children = await Promise.all([insertSagas(tx, sagas), progress.begin(tx, begun)]);
    known.keepAfterCommit(tx, [...sagas, ...children[1]]);
    return sagas;
  }

  async function cancel(tx: Transaction, id: string, failure: SagaFailure = CANCELED): Promise<CancelOutcome> {
    const before = (await lockSagas(tx, [id])).get(id);
    if (before === undefined) return "unknown";
    if (before.failure?.code === failure.code) return "canceling";
    if (hasEnded(before)) return "ended";
    if (registry.find(before.definition, before.version) === undefined) return "too-late";
    const decided = progress.decide(before, { kind: "cancel", failure });
    if (decided.after === before) return "too-late";
    await progress.save(tx, [decided]);
    return "canceling";
  }

  return {
    name: "sagas",
    async start() {
      const topics = [options.replyTopic];
      subscription = await consume(bus, { group, topics, schemas: [...schemas.values()], handle: handleReplies });
      alarm.start();
      retention.start();
      hide = showSagas(database);
    },
    async stop() {
      hide();
      await subscription?.stop();
      await Promise.all([alarm.stop(), retention.stop()]);
    },
    unready: () => (subscription === undefined ? "not started" : subscription.unready()),
    begin,
    cancel,
    find: (queryable, ids) => findSagas(queryable, ids),
    handleReplies,
    ...operators,
    routes: (router) => parkedSagaRoutes(router, database, operators),
  };
}
