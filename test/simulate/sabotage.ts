import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { CreditAccountRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { Bus, ReceivedRecord } from "@ferry/platform/events";
import type { Sabotage } from "./world.ts";

/** A bus on which a credit that comes again comes under another reference. */
function renaming(bus: Bus, seen: Set<string>): Bus {
  function rename(record: ReceivedRecord): ReceivedRecord {
    if (record.headers.ce_type !== CreditAccountRequestSchema.typeName || record.value === undefined) return record;
    const command = fromBinary(CreditAccountRequestSchema, record.value);
    if (!seen.has(command.reference)) {
      seen.add(command.reference);
      return record;
    }
    return { ...record, value: toBinary(CreditAccountRequestSchema, { ...command, reference: newUuid() }) };
  }
  return {
    ...bus,
    subscribe: (options) => bus.subscribe({ ...options, handle: (set) => options.handle(set.map(rename)) }),
  };
}

/** Guarantees broken on purpose: a simulation that stays green with one of these shows nothing. */
export const SABOTAGES: Record<string, () => Sabotage> = {
  /** Messages leave in a transaction of their own, beside the one that they tell of. */
  "an outbox beside the transaction": () => ({
    parts: (parts) => ({
      ...parts,
      outbox: {
        ...parts.outbox,
        add: (_tx, messages) => parts.database.transaction((tx) => parts.outbox.add(tx, messages)),
      },
    }),
  }),
  /** The broker acknowledges events of transfers, and loses some of them. */
  "a broker that loses what it has acknowledged": () => ({
    loses: ({ topic, key }) => topic === "ferry.transfer.events.v1" && /[0-7]$/.test(key),
  }),
  /** The bank does an order as often as it is asked. */
  "a bank that does not know a reference again": () => ({ forgetfulBank: true }),
  /** The ledger books again, as something new, what it is told again. */
  "a ledger that does not know a command again": () => {
    const seen = new Set<string>();
    return {
      parts: (parts) => (parts.name === "ledger" ? { ...parts, bus: renaming(parts.bus, seen) } : parts),
    };
  },
};
