import type { ServiceImpl } from "@connectrpc/connect";
import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { PaymentRecordSchema, type PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Queryable } from "@ferry/platform/db";
import { FIND_PAYMENTS } from "./statements.ts";

interface PaymentRow {
  reference: string;
  done: boolean;
  refused: boolean;
  currency: string | null;
  amount: bigint | null;
  account_number: string | null;
  bank_code: string;
}

/** Tells neighbors what is recorded of payments. */
export function paymentRpcs(db: Queryable): ServiceImpl<typeof PaymentRecordService> {
  return {
    async batchGetPayments({ references }) {
      const rows = await db.query<PaymentRow>(FIND_PAYMENTS, [references]);
      return {
        payments: rows.map(({ reference, done, refused, currency, amount, account_number, bank_code }) =>
          create(PaymentRecordSchema, {
            reference,
            outcome: done ? PaymentOutcome.DONE : refused ? PaymentOutcome.REFUSED : PaymentOutcome.UNKNOWN,
            amount: amount === null ? undefined : { currency: currency ?? "", minorUnits: amount },
            account: account_number === null ? undefined : { bankCode: bank_code, accountNumber: account_number },
          }),
        ),
      };
    },
  };
}
