import type { Client } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { Transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Service, ServiceParts } from "@ferry/platform/lifecycle";
import { createSagaEngine, createWaiters, sagaMigrations } from "@ferry/platform/saga";
import { createCancelTransfer } from "./app/cancel-transfer.ts";
import { createCreateTransfer } from "./app/create-transfer.ts";
import { createFollowSaga } from "./app/follow-saga.ts";
import { createReadTransfers } from "./app/read-transfers.ts";
import { createAccounts } from "./clients/accounts.ts";
import { createMembers } from "./clients/members.ts";
import { transferRoutes } from "./rpc/transfer-routes.ts";
import { moveMoney, sendMoney } from "./sagas/send-money.ts";
import * as store from "./store/transfer-store.ts";

export const migrations = [sagaMigrations, store.transferMigrations];

export type TransferParts = Pick<ServiceParts<unknown>, "database" | "bus" | "outbox" | "logger"> & {
  config: { parkAfterMs: number };
  members: Client<typeof MemberService>;
  ledger: Client<typeof LedgerService>;
};

/** Owns the transfer: its record, its saga, and what its member sees of it. */
export function createTransferService(parts: TransferParts): Service {
  const { database, bus, outbox, logger, config } = parts;
  const now = () => new Date();
  const waiters = createWaiters<Transfer>({
    findEnded: async (ids) => (await findAtRest(ids)).map((transfer) => [transfer.id, transfer]),
  });
  const sagas = createSagaEngine({
    database,
    outbox,
    bus,
    logger,
    definitions: [sendMoney, moveMoney],
    replyTopic: "ferry.transfer.replies.v1",
    group: "transfer",
    parkAfterMs: config.parkAfterMs,
    onChange: createFollowSaga({ store, outbox, ended: waiters.ended, now }),
  });
  const create = createCreateTransfer({
    database,
    store,
    sagas,
    members: createMembers(parts.members),
    accounts: createAccounts(parts.ledger),
    now,
  });
  const { findAtRest, get, list } = createReadTransfers({ database, store, sagas });
  const cancel = createCancelTransfer({ database, store, sagas });
  const routes = transferRoutes({ create, get, list, cancel, waiters });
  return {
    routes(router) {
      routes(router);
      sagas.routes(router);
    },
    components: [sagas, { name: "waiters", stop: async () => waiters.close() }],
  };
}
