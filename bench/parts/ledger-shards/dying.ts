// A ledger over two databases whose process is killed in the middle of a settle between them: when it is
// prepared on both, or when its commit is written. The parent then sees who waits, and for how long.
import { openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { createSpreadCommands } from "../../../services/ledger/app/spread-commands.ts";
import { openShards } from "../../../services/ledger/shards.ts";
import { hold, settle } from "../../../services/ledger/store/test-ledger.ts";
import type { Mode, ShardUrls } from "../../../services/ledger/testing/sharded.ts";

export interface Dying {
  urls: ShardUrls;
  mode: Mode;
  /** Of transit there is no decision: it dies when the payer's side is committed. */
  at: "prepared" | "decided" | "answered";
  payer: { id: string; ownerId: string };
  payeeId: string;
}

const { urls, mode, at, payer, payeeId } = JSON.parse(process.argv[2]!) as Dying;
const home = openDatabase({ url: urls.home });
const die = async () => {
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
};
const log = {
  ...home,
  async query<Row>(text: string, values?: readonly unknown[]) {
    const isDecision = text.startsWith("INSERT INTO two_phase_decision");
    if (isDecision && at === "prepared") await die();
    const rows = await home.query<Row>(text, values);
    if (isDecision && at === "decided") await die();
    return rows;
  },
};
const config = { shards: urls.shards, crossShard: mode, sharedCluster: "allow", databaseConnections: 4 } as const;
const opened = openShards({ config, database: log, bus: createMemoryBus(), logger });
for (const part of opened.components) if (!part.name.startsWith("outbox")) await part.start?.();
const commands = createSpreadCommands(opened);
const paid = hold(payer, 1n, payeeId);
await commands.carryOut([paid], (command) => command);
await commands.carryOut([settle(paid)], (command) => command);
await die();
