// Waits until a platform has come to rest after its faults: everything ended, nothing left to publish or to handle.
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { openClient } from "../../../platform/events/kafka-client.ts";
import type { BooksSources } from "../../books/sources.ts";
import type { Platform } from "../../support/platform.ts";
import { waitFor } from "../../support/platform.ts";

type Service = Parameters<BooksSources["query"]>[0];

/** Each counts what is still on its way. */
const UNFINISHED: [service: Service, what: string, sql: string][] = [
  [
    "transfer",
    "transfers",
    "SELECT count(*) AS n FROM transfer WHERE state NOT IN ('COMPLETED','FAILED','CANCELED','PARKED')",
  ],
  [
    "transfer",
    "sagas of transfer",
    "SELECT count(*) AS n FROM saga WHERE status NOT IN ('completed','undone','parked')",
  ],
  ["payment", "sagas of payment", "SELECT count(*) AS n FROM saga WHERE status NOT IN ('completed','undone','parked')"],
  ["banking", "calls to the bank", "SELECT count(*) AS n FROM bank_call WHERE outcome = 'pending'"],
  ["transfer", "batches", "SELECT count(*) AS n FROM transfer_batch WHERE ended_at IS NULL"],
  ["payment", "refunds", "SELECT count(*) AS n FROM refund WHERE state NOT IN ('COMPLETED', 'FAILED')"],
];
const OUTBOXES: readonly Service[] = ["transfer", "payment", "banking", "ledger"];
const UNPUBLISHED =
  "SELECT count(*) AS n FROM outbox, outbox_mark AS mark WHERE (outbox.xid, outbox.seq) > (mark.xid, mark.seq)";

async function countUnfinished(sources: BooksSources): Promise<string[]> {
  const open: string[] = [];
  for (const [service, what, sql] of UNFINISHED) {
    const [row] = await sources.query<{ n: bigint }>(service, sql);
    if (row!.n > 0n) open.push(`${row!.n} ${what}`);
  }
  for (const service of OUTBOXES) {
    const [row] = await sources.query<{ n: bigint }>(service, UNPUBLISHED);
    if (row!.n > 0n) open.push(`${row!.n} unpublished rows of ${service}`);
  }
  return open;
}

/** Messages that consumer groups have not handled, as "transfer: 3". */
async function lagsOf(platform: Platform): Promise<string[]> {
  const admin = openClient({ clientId: "prove", brokers: [platform.addressOf(9092)], logger }).admin();
  await admin.connect();
  try {
    const lags: string[] = [];
    const { groups } = await admin.listGroups();
    for (const { groupId } of groups) {
      let lag = 0n;
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId })) {
        const ends = new Map((await admin.fetchTopicOffsets(topic)).map((end) => [end.partition, end]));
        for (const { partition, offset } of partitions) {
          const end = ends.get(partition);
          if (end !== undefined) lag += BigInt(end.high) - BigInt(offset === "-1" ? end.low : offset);
        }
      }
      if (lag > 0n) lags.push(`${groupId}: ${lag} messages`);
    }
    return lags;
  } finally {
    await admin.disconnect();
  }
}

/**
 * Waits until everything has ended, the outboxes are published and the consumers have handled all.
 *
 * @returns how long it took in milliseconds, and what was still open when the time was over.
 */
export async function comeToRest(
  platform: Platform,
  sources: BooksSources,
  timeoutMs: number,
): Promise<{ ms: number; open: string[] }> {
  const startedAt = Date.now();
  let open: string[] = [];
  const look = async () => {
    const unfinished = await countUnfinished(sources);
    return unfinished.length > 0 ? unfinished : lagsOf(platform);
  };
  const isAtRest = async () => {
    open = await look().catch((error: unknown) => [`no look was possible: ${error}`]);
    return open.length === 0;
  };
  await waitFor("rest", isAtRest, timeoutMs).catch(() => {}); // What is open tells more.
  return { ms: Date.now() - startedAt, open };
}
