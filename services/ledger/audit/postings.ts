import type { ServiceImpl } from "@connectrpc/connect";
import { HoldState, type PostingService, PostingsSchema } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Queryable } from "@ferry/platform/db";
import { FIND_POSTINGS } from "./statements.ts";

const HOLD_STATES: Readonly<Record<string, HoldState>> = {
  held: HoldState.HELD,
  settled: HoldState.SETTLED,
  released: HoldState.RELEASED,
  refused: HoldState.REFUSED,
  tombstone: HoldState.TOMBSTONE,
};

interface PostingsRow {
  reference: string;
  state: string | null;
  amount: bigint | null;
  account_id: string | null;
  currency: string | null;
}

/** Tells neighbors what the books say, read apart from the code that wrote them. @param databases All of the ledger. */
export function postingRpcs(databases: readonly Queryable[]): ServiceImpl<typeof PostingService> {
  return {
    async batchGetPostings({ references }) {
      const asked = references.map((reference) => reference.toLowerCase());
      const found = await Promise.all(databases.map((db) => db.query<PostingsRow>(FIND_POSTINGS, [asked])));
      return {
        postings: found.flat().map(({ reference, state, amount, account_id, currency }) =>
          create(PostingsSchema, {
            reference,
            hold: HOLD_STATES[state ?? ""] ?? HoldState.UNSPECIFIED,
            moved: amount === null ? undefined : { currency: currency ?? "", minorUnits: amount },
            sourceAccountId: account_id ?? "",
          }),
        ),
      };
    },
  };
}
