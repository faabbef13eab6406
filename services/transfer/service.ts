import type { Client } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { TransferBatch } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import type { Transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Service, ServiceParts } from "@ferry/platform/lifecycle";
import { createSagaEngine, createWaiters, sagaMigrations } from "@ferry/platform/saga";
import { createAdvanceBatch } from "./app/advance-batch.ts";
import { createAnswerGate, REPLY_TOPIC } from "./app/answer-gate.ts";
import { createBeginLines } from "./app/begin-lines.ts";
import { createBeginScheduled } from "./app/begin-scheduled.ts";
import { createCancelBatch } from "./app/cancel-batch.ts";
import { createCancelTransfer } from "./app/cancel-transfer.ts";
import { createCreateBatch } from "./app/create-batch.ts";
import { createCreateTransfer } from "./app/create-transfer.ts";
import { createEndScheduled } from "./app/end-scheduled.ts";
import { createExpireTransfers } from "./app/expire-transfers.ts";
import { createFollowLines } from "./app/follow-lines.ts";
import { createFollowSaga, followsAtOnce } from "./app/follow-saga.ts";
import { createReadBatches } from "./app/read-batches.ts";
import { createReadTransfers } from "./app/read-transfers.ts";
import { createTransferFacts } from "./app/transfer-facts.ts";
import { createStandings } from "./app/transfer-standing.ts";
import { createWatchTransfers, type WatchTransfers } from "./app/watch-transfer.ts";
import { createAccounts } from "./clients/accounts.ts";
import { createMembers } from "./clients/members.ts";
import { createDueWorkers, type DueWorkers } from "./consumers/due-work.ts";
import { createGateConsumer } from "./consumers/gate.ts";
import { batchRoutes } from "./rpc/batch-routes.ts";
import { transferRoutes } from "./rpc/transfer-routes.ts";
import { moveInBatch, sendInBatch } from "./sagas/send-in-batch.ts";
import { moveMoney, sendMoney } from "./sagas/send-money.ts";
import * as batches from "./store/batch-store.ts";
import * as due from "./store/due-store.ts";
import * as lines from "./store/line-store.ts";
import * as store from "./store/transfer-store.ts";

export const migrations = [sagaMigrations, store.transferMigrations];

/** Lines of batches that are on their way at once: about what passes in a quarter of a second at full speed. */
export const DEFAULT_LINES_UNDER_WAY = 128;

export type TransferParts = Pick<ServiceParts<unknown>, "database" | "bus" | "outbox" | "logger"> & {
  /** batchLinesUnderWay: lines of all batches together that may be on their way at once; default 128. */
  config: { parkAfterMs: number; batchLinesUnderWay?: number };
  members: Client<typeof MemberService>;
  ledger: Client<typeof LedgerService>;
};

/** Owns the transfer: its record, its saga, its batch, and what its member sees of it. */
export function createTransferService(parts: TransferParts): Service {
  const { database, bus, outbox, logger, config } = parts;
  const now = () => new Date();
  const members = createMembers(parts.members);
  const accounts = createAccounts(parts.ledger);
  const factsFor = createTransferFacts({ members, accounts });
  const wake = (ids: Iterable<string>) => workers.wake(ids);
  const wakeBy = (dueAtMs: number) => workers.wakeBy(dueAtMs);
  const waiters = createWaiters<Transfer>({
    findEnded: async (ids) => (await findAtRest(ids)).map((transfer) => [transfer.id, transfer]),
  });
  const batchWaiters = createWaiters<TransferBatch>({
    findEnded: async (ids) => (await readBatches.findAtRest(ids)).map((batch) => [batch.id, batch]),
  });
  const sagas = createSagaEngine({
    ...{ database, outbox, bus, logger, group: "transfer", parkAfterMs: config.parkAfterMs },
    definitions: [sendMoney, moveMoney, sendInBatch, moveInBatch],
    replyTopic: REPLY_TOPIC,
    onChange: createFollowSaga({
      ...{ store, outbox, ended: waiters.ended, changed: (moved) => watchers.moved(moved), now },
      followLines: createFollowLines({ batches, lines, wake }),
    }),
    asksAtOnce: followsAtOnce,
  });
  const standings = createStandings({ store, sagas });
  const watchers: WatchTransfers = createWatchTransfers({ database, standings });
  const endScheduled = createEndScheduled({ store, due, outbox, ended: waiters.ended, now });
  const workers: DueWorkers = createDueWorkers({
    ...{ database, due, logger, now },
    beginScheduled: createBeginScheduled({ database, store, due, sagas, factsFor, endScheduled, now }),
    expireTransfers: createExpireTransfers({ database, store, due, sagas, endScheduled }),
    advanceBatch: createAdvanceBatch({
      ...{ database, batches, lines, due, sagas, outbox, ended: batchWaiters.ended, now },
      beginLines: createBeginLines({ database, batches, lines, store, sagas, members, accounts, now }),
      linesUnderWay: config.batchLinesUnderWay ?? DEFAULT_LINES_UNDER_WAY,
    }),
  });
  const create = createCreateTransfer({ database, store, due, sagas, factsFor, wakeBy, now });
  const { findAtRest, get, list } = createReadTransfers({ database, store, standings });
  const cancel = createCancelTransfer({ database, store, sagas, endScheduled });
  const readBatches = createReadBatches({ database, batches, lines });
  const routes = [
    transferRoutes({ create, get, list, cancel, waiters, watch: watchers.watch }),
    batchRoutes({
      ...readBatches,
      create: createCreateBatch({ database, batches, lines, due, members, accounts, wakeBy, now }),
      cancel: createCancelBatch({ database, batches, due, wake, now }),
      waiters: batchWaiters,
    }),
    sagas.routes,
  ];
  const gate = createGateConsumer({ bus, answerGate: createAnswerGate({ database, batches, lines, outbox, wake }) });
  const closeWaiters = async () => [waiters, batchWaiters, watchers].forEach((each) => void each.close());
  return {
    routes(router) {
      for (const each of routes) each(router);
    },
    components: [sagas, gate, workers, { name: "waiters", stop: closeWaiters }],
  };
}
