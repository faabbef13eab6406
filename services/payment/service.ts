import type { Client } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { type Payment, PaymentService } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { every, type Service, type ServiceParts } from "@ferry/platform/lifecycle";
import { createSagaEngine, createWaiters, sagaMigrations } from "@ferry/platform/saga";
import { sweep } from "@ferry/platform/telemetry";
import { createAnnounceAgain } from "./app/announce-again.ts";
import { createCancelPayment } from "./app/cancel-payment.ts";
import { createCreatePayment } from "./app/create-payment.ts";
import { createCreateRefund } from "./app/create-refund.ts";
import { createCreateTopUp } from "./app/create-top-up.ts";
import { createFollowPayments } from "./app/follow-payments.ts";
import { createFollowRefunds } from "./app/follow-refunds.ts";
import { createFollowTopUps } from "./app/follow-top-ups.ts";
import { createReadPayments } from "./app/read-payments.ts";
import { createReadRefunds } from "./app/read-refunds.ts";
import type { RefundRow } from "./app/refund-row.ts";
import type { TopUpRow } from "./app/top-up-row.ts";
import { createAccounts } from "./clients/accounts.ts";
import { createMembers } from "./clients/members.ts";
import { createRefundsConsumer } from "./consumers/refunds.ts";
import { isRefundOver } from "./domain/refund.ts";
import { isAtRest } from "./domain/top-up.ts";
import { createPaymentRpcs } from "./rpc/payments.ts";
import { createRefundRpcs } from "./rpc/refunds.ts";
import { createTopUpRpcs } from "./rpc/top-ups.ts";
import { pay } from "./sagas/pay.ts";
import { topUp } from "./sagas/top-up.ts";
import * as paymentStore from "./store/payment-store.ts";
import * as refundStore from "./store/refund-store.ts";
import * as topUpStore from "./store/top-up-store.ts";

export const migrations = [sagaMigrations, topUpStore.paymentMigrations];

export type PaymentParts = Pick<ServiceParts<unknown>, "database" | "bus" | "outbox" | "logger"> & {
  config: { parkAfterMs: number };
  members: Client<typeof MemberService>;
  ledger: Client<typeof LedgerService>;
};

/** How often refunds are looked for that have not ended in their time. */
const ANNOUNCE_EVERY_MS = 30_000;

const announcedAgain = sweep(
  "refunds",
  "Refunds that have not ended in their time, announced again to all who take part.",
);

const store = { ...topUpStore, ...paymentStore, ...refundStore };

/** Callers who wait for an end. Sagas are not known yet when their waiters are made: `findAtRest` comes later. */
function createAllWaiters({ database }: PaymentParts, findAtRest: (ids: readonly string[]) => Promise<Payment[]>) {
  return {
    topUps: createWaiters<TopUpRow>({
      findEnded: async (ids) => [...(await store.findTopUps(database, ids))].filter(([, row]) => isAtRest(row.state)),
    }),
    payments: createWaiters<Payment>({
      findEnded: async (ids) => (await findAtRest(ids)).map((payment): [string, Payment] => [payment.id, payment]),
    }),
    refunds: createWaiters<RefundRow>({
      findEnded: async (ids) =>
        [...(await store.findRefunds(database, ids))].filter(([, row]) => isRefundOver(row.state)),
    }),
  };
}

/** Owns top-ups, payments and refunds: their records, the sagas of the first two, and what members see of them. */
export function createPaymentService(parts: PaymentParts): Service {
  const { database, bus, outbox, logger, config } = parts;
  const waiters = createAllWaiters(parts, (ids) => payments.findAtRest(ids));
  const followTopUps = createFollowTopUps({ store, outbox, ended: waiters.topUps.ended });
  const followPayments = createFollowPayments({ store, outbox, ended: waiters.payments.ended });
  const sagas = createSagaEngine({
    ...{ database, outbox, bus, logger, definitions: [topUp, pay], parkAfterMs: config.parkAfterMs },
    replyTopic: "ferry.payment.replies.v1",
    group: "payment",
    async onChange(tx, changes, begun) {
      const of = ({ name }: { name: string }) => changes.filter(({ after }) => after.definition === name);
      await followTopUps(tx, of(topUp), begun);
      await followPayments(tx, of(pay), begun);
    },
  });
  const payments = createReadPayments({ database, store, sagas });
  const refunds = createReadRefunds({ database, store });
  const [members, accounts] = [createMembers(parts.members), createAccounts(parts.ledger)];
  const rpcs = {
    ...createTopUpRpcs({
      create: createCreateTopUp({ database, store, sagas, members, accounts }),
      find: async (id) => (await store.findTopUps(database, [id])).get(id),
      waiters: waiters.topUps,
    }),
    ...createPaymentRpcs({
      ...{ get: payments.get, list: payments.list, waiters: waiters.payments },
      create: createCreatePayment({ database, store, sagas, members, accounts }),
      cancel: createCancelPayment({ database, store, sagas }),
    }),
    ...createRefundRpcs({
      ...{ get: refunds.get, list: refunds.list, waiters: waiters.refunds },
      create: createCreateRefund({ database, store, outbox, members }),
    }),
  };
  const follow = createFollowRefunds({ database, store, outbox, ended: waiters.refunds.ended });
  const announceAgain = createAnnounceAgain({ database, store, outbox });
  const announcer = every({
    name: "announce-again",
    periodMs: ANNOUNCE_EVERY_MS,
    async work() {
      const count = await announceAgain();
      if (count === 0) return;
      announcedAgain(count);
      logger.warn({ count }, "refunds that have not ended were announced again");
    },
    what: "refunds could not be announced again now",
    logger,
  });
  const closing = {
    name: "waiters",
    async stop() {
      for (const each of Object.values(waiters)) each.close();
    },
  };
  return {
    routes(router) {
      router.service(PaymentService, rpcs);
      sagas.routes(router);
    },
    components: [sagas, createRefundsConsumer({ bus, follow }), announcer, closing],
  };
}
