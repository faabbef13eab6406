import type { Client } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { Service, ServiceParts } from "@ferry/platform/lifecycle";
import { createSagaEngine, createWaiters, sagaMigrations } from "@ferry/platform/saga";
import { createCreateTopUp } from "./app/create-top-up.ts";
import { createFollowSaga } from "./app/follow-saga.ts";
import type { TopUpRow } from "./app/top-up-row.ts";
import { createAccounts } from "./clients/accounts.ts";
import { createMembers } from "./clients/members.ts";
import { isAtRest } from "./domain/top-up.ts";
import { paymentRoutes } from "./rpc/payment-routes.ts";
import { topUp } from "./sagas/top-up.ts";
import * as store from "./store/top-up-store.ts";

export const migrations = [sagaMigrations, store.paymentMigrations];

export type PaymentParts = Pick<ServiceParts<unknown>, "database" | "bus" | "outbox" | "logger"> & {
  config: { parkAfterMs: number };
  members: Client<typeof MemberService>;
  ledger: Client<typeof LedgerService>;
};

/** Owns the top-up: its record, its saga, and what its member sees of it. */
export function createPaymentService(parts: PaymentParts): Service {
  const { database, bus, outbox, logger, config } = parts;
  const waiters = createWaiters<TopUpRow>({
    async findEnded(ids) {
      const rows = await store.findTopUps(database, ids);
      return [...rows].filter(([, { state }]) => isAtRest(state));
    },
  });
  const sagas = createSagaEngine({
    database,
    outbox,
    bus,
    logger,
    definitions: [topUp],
    replyTopic: "ferry.payment.replies.v1",
    group: "payment",
    parkAfterMs: config.parkAfterMs,
    onChange: createFollowSaga({ store, outbox, ended: waiters.ended }),
  });
  const create = createCreateTopUp({
    database,
    store,
    sagas,
    members: createMembers(parts.members),
    accounts: createAccounts(parts.ledger),
  });
  const find = async (id: string) => (await store.findTopUps(database, [id])).get(id);
  const routes = paymentRoutes({ create, find, waiters });
  return {
    routes(router) {
      routes(router);
      sagas.routes(router);
    },
    components: [sagas, { name: "waiters", stop: async () => waiters.close() }],
  };
}
