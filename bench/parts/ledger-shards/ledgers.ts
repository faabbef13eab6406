import { createBatcher, newUuid } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import type { Command } from "../../../services/ledger/domain/commands.ts";
import { credit } from "../../../services/ledger/store/test-ledger.ts";
import { type Mode, runSharded, type ShardUrls } from "../../../services/ledger/testing/sharded.ts";

/** A ledger that is measured: over one database or two, with a bus that is only a call. */
export interface BenchLedger {
  mode: Mode;
  urls: ShardUrls;
  ledger: Awaited<ReturnType<typeof runSharded>>;
  /** Gathers concurrent commands to sets, as the service's own door does; a refusal is an error. */
  send(command: Command): Promise<void>;
  stop(): Promise<void>;
}

export async function openLedger(urls: ShardUrls, mode: Mode): Promise<BenchLedger> {
  const bus = createMemoryBus();
  const ledger = await runSharded(urls, mode, bus);
  const batcher = createBatcher<Command, string | undefined>({ run: (commands) => ledger.send(...commands) });
  return {
    ...{ mode, urls, ledger },
    async send(command) {
      const refusal = await batcher.add(command);
      if (refusal !== undefined) throw new Error(`${command.kind} was refused: ${refusal}`);
    },
    async stop() {
      await ledger.stop();
      await bus.close();
    },
  };
}

/** An account in a shard, with money on it. */
export async function openAccount({ ledger }: BenchLedger, position: number, balance: bigint) {
  let id = newUuid();
  while (ledger.shardOf(id) !== position) id = newUuid();
  const ownerId = newUuid();
  await ledger.open(id, ownerId);
  if (balance > 0n) await ledger.send(credit(id, balance));
  return { id, ownerId };
}
