// A ledger over shards in a process of its own, which makes a list of transfers and may be killed at any moment.
import { Worker } from "node:worker_threads";
import { createKafkaBus } from "@ferry/platform/events";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import type { Command } from "../domain/commands.ts";
import { type Mode, runSharded, type ShardUrls } from "./sharded.ts";

export interface Work {
  urls: ShardUrls;
  mode: Mode;
  broker: string;
  /** So long after it has started it is killed, wherever it is then. Default: it is not. */
  killAfterMs?: number;
  transfers: readonly { id: string; from: string; owner: string; to: string; amount: string; isReleased: boolean }[];
}

const AT_ONCE = 8;
const { urls, mode, broker, killAfterMs, transfers } = JSON.parse(process.argv[2]!) as Work;
const bus = createKafkaBus({ brokers: [broker], clientId: "shard-worker", logger });
const ledger = await runSharded(urls, mode, bus);
process.send?.("started");
// By a thread of its own: it needs no turn of the loop, and stands still when the work does.
if (killAfterMs !== undefined)
  new Worker(`setTimeout(() => process.kill(process.pid, "SIGKILL"), ${killAfterMs})`, { eval: true });

const queue = [...transfers];
async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { id: transferId, from: sourceAccountId, owner: payerMemberId, to: accountId, isReleased } = next;
    const terms = { payerMemberId, amountMinor: BigInt(next.amount), currency: "EUR" };
    const common = { transferId, sourceAccountId };
    const hold: Command = { kind: "place-hold", ...common, ...terms, destinationAccountId: accountId, expired: false };
    const end: Command = isReleased
      ? { kind: "release-hold", ...common }
      : { kind: "settle-hold", ...common, destination: { kind: "account", accountId } };
    await untilDone(hold);
    await untilDone(end);
  }
}

/** As whoever asks does: the same command again, until it is answered. */
async function untilDone(command: Command): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ledger.send(command);
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
process.send?.("done");
