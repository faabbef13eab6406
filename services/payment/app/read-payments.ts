import type { Payment } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import type { Database, Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Saga } from "@ferry/platform/saga";
import { isPaymentAtRest, type PaymentState } from "../domain/payment.ts";
import { readPage } from "./pages.ts";
import { toMerchantsView, toPayersView } from "./payment-message.ts";
import type { PaymentRow, Position } from "./payment-row.ts";

interface PaymentStore {
  findPayments(from: Queryable, ids: readonly string[]): Promise<Map<string, PaymentRow>>;
  listPayments(
    from: Queryable,
    page: {
      memberId: string;
      received: boolean;
      state: PaymentState | undefined;
      limit: number;
      after: Position | undefined;
    },
  ): Promise<{ row: PaymentRow; position: Position }[]>;
}

export interface ReadPaymentsDeps {
  database: Database;
  store: PaymentStore;
  sagas: { find(from: Queryable, ids: readonly string[]): Promise<Map<string, Saga>> };
}

export interface ListPayments {
  memberId: string;
  received: boolean;
  state: PaymentState | undefined;
  /** 0 means 50. */
  pageSize: number;
  pageToken: string;
}

/** Reads payments as payer and merchant may see them. */
export function createReadPayments({ database, store, sagas }: ReadPaymentsDeps) {
  /** As their payers see them. Steps are read after the rows: what has ended is never shown with a step that runs. */
  async function withSteps(rows: readonly PaymentRow[]): Promise<Payment[]> {
    const ids = rows.map(({ id }) => id);
    const found = ids.length === 0 ? new Map<string, Saga>() : await sagas.find(database, ids);
    return rows.map((row) => toPayersView(row, found.get(row.id)));
  }

  return {
    /** Those of the payments that are at rest, whoever's they are, as their payers see them. */
    async findAtRest(ids: readonly string[]): Promise<Payment[]> {
      const rows = await store.findPayments(database, ids);
      return withSteps([...rows.values()].filter(({ state }) => isPaymentAtRest(state)));
    },

    /** One payment. @throws FerryError NOT_FOUND when there is none, or the caller has no part in it. */
    async get(memberId: string, id: string): Promise<Payment> {
      const row = (await store.findPayments(database, [id])).get(id);
      if (row?.memberId === memberId) return (await withSteps([row]))[0]!;
      if (row?.merchantMemberId === memberId && row.state === "COMPLETED") return toMerchantsView(row);
      throw new FerryError("NOT_FOUND", `payment_id: no payment ${id}`);
    },

    /** One page, newest first. @throws FerryError PAGE_TOKEN_INVALID. */
    async list(request: ListPayments): Promise<{ payments: Payment[]; nextPageToken: string }> {
      const { memberId, received, state } = request;
      const query = `payments ${memberId} ${received} ${state ?? ""}`;
      const { rows, nextPageToken } = await readPage(query, request, (limit, after) =>
        store.listPayments(database, { memberId, received, state, limit, after }),
      );
      return { payments: received ? rows.map(toMerchantsView) : await withSteps(rows), nextPageToken };
    },
  };
}
