import type { RefundNotPaidOut } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { RefundRequested } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import type { AccountId } from "../domain/account.ts";
import type { ShardOf } from "./place-shards.ts";
import { createRefunds, type Heard } from "./refunds.ts";
import type { createSpreadCommands, Shard } from "./spread-commands.ts";

interface Options {
  shards: readonly Shard[];
  shardOf: ShardOf;
  commands: Pick<ReturnType<typeof createSpreadCommands>, "carryOutIn" | "readElsewhere">;
}

/** Refunds over shards: each in the merchant's, and handed over where the payer's account lies in another. */
export function createSpreadRefunds({ shards, shardOf, commands }: Options) {
  async function each<Event extends { merchantAccountId: string }>(
    heard: readonly Heard<Event>[],
    payeeOf: (event: Event) => AccountId[],
    run: (refunds: ReturnType<typeof createRefunds>, position: number, own: readonly Heard<Event>[]) => Promise<void>,
  ): Promise<void> {
    const groups = Map.groupBy(heard, ({ event }) => shardOf(event.merchantAccountId.toLowerCase()));
    for (const [position, own] of groups) {
      const elsewhere = await commands.readElsewhere(
        position,
        own.flatMap(({ event }) => payeeOf(event)),
      );
      const carryOut = commands.carryOutIn(position, elsewhere);
      await run(createRefunds({ carryOut, outbox: shards[position]!.outbox }), position, own);
    }
  }

  return {
    book: (requested: readonly Heard<RefundRequested>[]) =>
      each(
        requested,
        ({ destination }) => (destination.case === "payerAccountId" ? [destination.value.toLowerCase()] : []),
        (refunds, position, own) => shards[position]!.database.transaction((tx) => refunds.book(tx, own)),
      ),
    takeBack: (refused: readonly Heard<RefundNotPaidOut>[]) =>
      each(
        refused,
        () => [],
        (refunds, position, own) => shards[position]!.database.transaction((tx) => refunds.takeBack(tx, own)),
      ),
  };
}
