import { setTimeout as delay } from "node:timers/promises";
import { hold, settle } from "../../../services/ledger/store/test-ledger.ts";
import { assertShardsHold, underWay } from "../../../services/ledger/testing/sharded.ts";
import { emptyMeasured, type Measured, type Scenario } from "../../scenario.ts";
import { closedLoop, type LoopFigures } from "../closed-loop.ts";
import { startClusters } from "../ledger-shards/clusters.ts";
import { measureDeath } from "../ledger-shards/death.ts";
import { type BenchLedger, openAccount, openLedger } from "../ledger-shards/ledgers.ts";

const ACCOUNTS = 64;
const IN_FLIGHT = 64;
const FUNDS = 1_000_000_000n;
const REST_POLL_MS = 2;

/** Transfers from the first shard to the last; of each the settle alone, or hold and settle. */
async function makePairs(ledger: BenchLedger) {
  const last = ledger.urls.shards.length - 1;
  const payers = await Promise.all(Array.from({ length: ACCOUNTS }, () => openAccount(ledger, 0, FUNDS)));
  const payees = await Promise.all(Array.from({ length: ACCOUNTS }, () => openAccount(ledger, last, 0n)));
  let next = 0;
  return () => {
    const index = next++ % ACCOUNTS;
    return hold(payers[index]!, 1n, payees[index]!.id);
  };
}

async function untilAtRest({ ledger }: BenchLedger): Promise<void> {
  while ((await underWay(ledger.databases)) !== 0n) await delay(REST_POLL_MS);
}

interface Figures {
  /** One settle at a time: what its caller waits. */
  alone: LoopFigures;
  /** One settle at a time, until the payee has the money. */
  arrivedP50Ms: number;
  /** Whole transfers, many at once. */
  loaded: LoopFigures;
}

async function measure(ledger: BenchLedger, seconds: number): Promise<Figures> {
  const nextHold = await makePairs(ledger);
  const held = [];
  for (let count = 0; count < 3_000; count += 100) {
    const some = Array.from({ length: 100 }, nextHold);
    await Promise.all(some.map((one) => ledger.send(one)));
    held.push(...some);
  }
  const settles = held.map(settle);
  const alone = await closedLoop(async () => ledger.send(settles.pop()!), { seconds: seconds / 4, inFlight: 1 });
  await untilAtRest(ledger);
  const arrivals: number[] = [];
  for (const one of settles.splice(0, 60)) {
    const before = performance.now();
    await ledger.send(one);
    await untilAtRest(ledger);
    arrivals.push(performance.now() - before);
  }
  const loaded = await closedLoop(
    async () => {
      const one = nextHold();
      await ledger.send(one);
      await ledger.send(settle(one));
    },
    { seconds, inFlight: IN_FLIGHT },
  );
  for (const one of settles) await ledger.send(one);
  await untilAtRest(ledger);
  await assertShardsHold(ledger.ledger.databases);
  return { alone, arrivedP50Ms: arrivals.sort((a, b) => a - b)[arrivals.length >> 1]!, loaded };
}

const CONTENDERS = [
  { name: "one database", database: "one", shards: 1, mode: "clearing" },
  { name: "two-phase over two", database: "two", shards: 2, mode: "two-phase" },
  { name: "clearing over two", database: "clear", shards: 2, mode: "clearing" },
] as const;

function factsOf(name: string, { alone, arrivedP50Ms, loaded }: Figures): Measured["facts"] {
  const round = (value: number) => Math.round(value * 100) / 100;
  return {
    [`${name}: settle alone, p50 ms`]: round(alone.p50Ms),
    [`${name}: settle alone, p99 ms`]: round(alone.p99Ms),
    [`${name}: payee has it, p50 ms`]: round(arrivedP50Ms),
    [`${name}: transfers/s at ${IN_FLIGHT}`]: Math.round(loaded.count / loaded.seconds),
    [`${name}: transfer p50 ms at ${IN_FLIGHT}`]: round(loaded.p50Ms),
    [`${name}: transfer p99 ms at ${IN_FLIGHT}`]: round(loaded.p99Ms),
  };
}

async function deathFacts(ledger: BenchLedger, name: string): Promise<Measured["facts"]> {
  const facts: Measured["facts"] = {};
  for (const at of ledger.mode === "two-phase" ? (["prepared", "decided"] as const) : (["answered"] as const)) {
    const { payerBlockedMs, payeeBlockedMs, payeeHasItMs, othersSlowestMs } = await measureDeath(ledger, at);
    facts[`${name}: process dies when ${at}: payer blocked, ms`] = payerBlockedMs;
    facts[`${name}: process dies when ${at}: payee blocked, ms`] = payeeBlockedMs;
    facts[`${name}: process dies when ${at}: slowest hold of others, ms`] = othersSlowestMs;
    if (payeeHasItMs !== undefined) facts[`${name}: process dies when ${at}: payee has it, ms`] = payeeHasItMs;
  }
  return facts;
}

export const scenario: Scenario = {
  name: "ledger-shards",
  summary:
    "Postings in one database, by two-phase commit over two, and by clearing over two; and a death in the middle.",
  unit: "transfer",
  seconds: 8,
  async run({ options, log }) {
    const clusters = await startClusters();
    const measured = emptyMeasured();
    try {
      for (const { name, database, shards, mode } of CONTENDERS) {
        const ledger = await openLedger(await clusters.databases(database, shards), mode);
        const figures = await measure(ledger, options.seconds);
        Object.assign(measured.facts, factsOf(name, figures));
        if (shards > 1) Object.assign(measured.facts, await deathFacts(ledger, name));
        await ledger.stop();
        for (const [fact, value] of Object.entries(measured.facts)) if (fact.startsWith(name)) log(`${fact}: ${value}`);
        measured.errors += figures.alone.errors + figures.loaded.errors;
        if (name !== "two-phase over two") continue;
        const { count, seconds, p50Ms, p99Ms } = figures.loaded;
        Object.assign(measured, { count, measuredSeconds: seconds, transfersPerSecond: count / seconds, p50Ms, p99Ms });
      }
    } finally {
      await clusters.stop();
    }
    return measured;
  },
};
