// The ledger as production has it, with PostgreSQL and its outbox, but a bus that is only a call: it hands
// sets over and takes the replies.
import { writeFileSync } from "node:fs";
import { serialize } from "node:v8";
import { openDatabase } from "@ferry/platform/db";
import type { Bus, SubscribeOptions } from "@ferry/platform/events";
import { createOutbox } from "@ferry/platform/outbox";
import { createLogger } from "@ferry/platform/telemetry";
import { createLedgerService } from "../../../services/ledger/service.ts";
import { Histogram } from "../../driver/histogram.ts";
import type { LoopFigures } from "../closed-loop.ts";
import { serveParent } from "../serve-parent.ts";
import { CommandMaker, type CommandSet, type Payer } from "./commands.ts";
import { pgbenchScript, recordStatements } from "./trace.ts";

/** Transfers of one set: what gathers at a thousand a second while the set before is written. */
const TRANSFERS_PER_SET = 32;
const CONNECTIONS = 8;
const REPLIES_TIMEOUT_MS = 10_000;

const logger = createLogger({ service: "ledger", level: "warn" });

/** A bus without a broker: what is published are the replies, which are counted. */
class DirectBus implements Bus {
  readonly logger = logger;
  replies = 0;
  #handle: SubscribeOptions["handle"] | undefined;
  #awaited: { count: number; done(): void } | undefined;

  async publish(records: readonly unknown[]): Promise<void> {
    this.replies += records.length;
    if (this.#awaited !== undefined && this.replies >= this.#awaited.count) this.#awaited.done();
  }

  async subscribe({ handle }: SubscribeOptions) {
    this.#handle ??= handle; // That of commands is the first.
    return { stop: async () => {}, unready: () => undefined };
  }

  async deliver({ records }: CommandSet): Promise<void> {
    if (this.#handle === undefined) throw new Error("nobody takes commands");
    await this.#handle(records);
  }

  /** Resolves when so many replies were published in all. @throws when they are not in time. */
  async replied(count: number): Promise<void> {
    if (this.replies >= count) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => reject(new Error(`${this.replies} replies of ${count}`)), REPLIES_TIMEOUT_MS);
    this.#awaited = { count, done: resolve };
    await promise.finally(() => clearTimeout(late));
  }

  async ensureTopics(): Promise<void> {}
  async close(): Promise<void> {}
}

const bus = new DirectBus();
let maker: CommandMaker | undefined;
let prepared: CommandSet[] = [];
let commands = 0;
let recorder: ReturnType<typeof recordStatements> | undefined;
let end = async () => {};

async function open({ url, payers, record }: { url: string; payers: Payer[]; record: boolean }): Promise<void> {
  maker = new CommandMaker(payers);
  if (record) recorder = recordStatements();
  const database = openDatabase({ url, maxConnections: CONNECTIONS });
  const outbox = createOutbox({ database, bus, source: "ferry/ledger", logger });
  const service = createLedgerService({ database, bus, outbox });
  const parts = [outbox, ...service.components];
  for (const part of parts) await part.start?.();
  end = async () => {
    for (const part of parts.toReversed()) await part.stop?.();
    await database.close();
  };
}

function opened(): { maker: CommandMaker } {
  if (maker === undefined) throw new Error("not open");
  return { maker };
}

function prepare(sets: number): void {
  const { maker } = opened();
  prepared = Array.from({ length: sets }, () => maker.next(TRANSFERS_PER_SET));
}

async function run(): Promise<LoopFigures> {
  const times = new Histogram();
  const startedAt = performance.now();
  let count = 0;
  for (const set of prepared) {
    const before = performance.now();
    await bus.deliver(set);
    commands += set.records.length;
    await bus.replied(commands);
    times.add(performance.now() - before);
    count += set.transfers;
  }
  prepared = [];
  const seconds = (performance.now() - startedAt) / 1_000;
  return { count, errors: 0, example: "", seconds, p50Ms: times.percentile(0.5), p99Ms: times.percentile(0.99) };
}

/** Takes down what the sets of a round send, for who sends it again: in our own form, and as a script of pgbench. */
async function record({ sets, file }: { sets: number; file: string }): Promise<{ options: string; transfers: number }> {
  if (recorder === undefined) throw new Error("not recording");
  prepare(sets);
  const { count } = await run();
  const { statements, options } = recorder.take();
  writeFileSync(file, serialize(statements));
  writeFileSync(`${file}.sql`, pgbenchScript(statements), { mode: 0o644 });
  return { options, transfers: count };
}

/** Settles what is held, so that the books can be checked. */
async function settle(): Promise<void> {
  prepared = [opened().maker.next(0)];
  await run();
}

serveParent({ open, prepare, run, record, settle, end: () => end() });
