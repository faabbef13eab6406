// What can happen to the processes of a platform under load: killed at any time, killed again while they take back
// what they did, frozen, cut off; and what they stand on killed or frozen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openSources } from "../books/sources.ts";
import { toBank } from "../support/client.ts";
import { findOffset, waitFor } from "../support/platform.ts";
import type { Direction } from "../support/tcp-proxy.ts";
import { FULL, HOUR, ProvingGround } from "./proving-ground.ts";
import { type Way, Ways } from "./ways.ts";

const RANDOM_KILLS = FULL ? 300 : HOUR ? 30 : 10;
const AWAY_MS = FULL ? 60_000 : 4_000;
const VICTIMS = ["member", "ledger", "banking", "transfer", "payment", "edge", "broker", "bank", "postgres"];

/** How callers look at their connections: what production has, at full length only. */
const KEEPALIVE = FULL ? { everyMs: 30_000, timeoutMs: 10_000 } : { everyMs: 2_000, timeoutMs: 1_000 };
/** For a new connection: then a caller says that there is none. */
const CONNECT_MS = 1_000;
/** For a look at it, on a machine that is busy, and stands still for some seconds; without looks nobody would ever notice. */
const LOOK_MS = 5_000;

let ground: ProvingGround;
let ways: Ways;
before(async () => {
  const offset = await findOffset();
  ways = await Ways.open(offset, FULL || HOUR ? undefined : ["ledger"]);
  ground = await ProvingGround.open({ offset, detours: { routes: ways.routes, keepalive: KEEPALIVE } });
});
after(async () => {
  await ground.close();
  await ways.close();
});

/** Whether PostgreSQL answers, asked by nobody of the platform. */
async function takesConnections(): Promise<boolean> {
  const asked = sources();
  return asked.query("ledger", "SELECT 1").then(
    () => asked.close().then(() => true),
    () => false,
  );
}

const sources = () => openSources({ databaseUrl: ground.platform.databaseUrl, bankUrl: ground.platform.bankControl });

/** @returns false when it has ended meanwhile, and is on its way back. */
function mayKill9(victim: string): boolean {
  try {
    ground.platform.kill9(victim);
    return true;
  } catch {
    return false;
  }
}

test("F2 kill -9 of any process at any moment", async (t) => {
  let kills = 0;
  const outcome = await ground.under(async (load) => {
    while (kills < RANDOM_KILLS) {
      await pause(ground.random.below(500));
      const victim = ground.random.pick(VICTIMS);
      if (!mayKill9(victim)) continue;
      kills++;
      await ground.progress(load, 5);
    }
  });
  t.diagnostic(`${kills} kills, ${outcome}`);
});

test("F3 transfer is killed while it takes back, and again while it goes on with that: every compensation has one effect", async (t) => {
  let kills = 0;
  const outcome = await ground.under(async () => {
    const { clients, control, random } = ground;
    const { hot } = clients.accounts;
    const books = sources();
    try {
      for (let round = 0; round < (FULL ? 20 : HOUR ? 6 : 2); round++) {
        const before = control.deathsAt("transfer", "commit in platform/saga/replies.ts handle (before)");
        const refused = Array.from({ length: 40 }, () => {
          const payer = random.pick(hot);
          const body = toBank(payer.id, "2200009402", "5");
          return clients.carryOut(
            {
              kind: "transfer 9402",
              key: crypto.randomUUID(),
              member: payer.member,
              path: "/v1/transfers",
              body,
              mustFail: true,
            },
            0,
          );
        });
        const undoing = "SELECT count(*) AS n FROM saga WHERE status = 'undoing'";
        await waitFor(
          "something to be taken back",
          async () => (await books.query<{ n: bigint }>("transfer", undoing))[0]!.n > 0n,
        );
        // The second life dies as well, at the first set of answers that it takes on.
        // Of the round before it may be starting still.
        const transfer = () => ground.platform.readUpFile().processes.find(({ name }) => name === "transfer");
        await waitFor("transfer to run", () => transfer()?.pid ?? undefined);
        control.armNext("transfer", { point: "commit in platform/saga/replies.ts handle (before)", nth: 1 });
        ground.platform.kill9("transfer");
        const again = () => control.deathsAt("transfer", "commit in platform/saga/replies.ts handle (before)") > before;
        await waitFor("the second death", again);
        kills += 2;
        await Promise.all(refused);
      }
    } finally {
      await books.close();
    }
  });
  t.diagnostic(`${kills} kills, ${outcome}`);
});

test("F4 the broker is frozen: the edge still accepts, the outbox grows, and drains when it is back", async (t) => {
  const books = sources();
  const unpublished =
    "SELECT count(*) AS n FROM outbox, outbox_mark AS mark WHERE (outbox.xid, outbox.seq) > (mark.xid, mark.seq)";
  try {
    const outcome = await ground.under(async (load) => {
      const pid = ground.pidOf("broker");
      process.kill(pid, "SIGSTOP");
      try {
        const until = Date.now() + AWAY_MS;
        await ground.progress(load, 200);
        const [row] = await books.query<{ n: bigint }>("transfer", unpublished);
        assert.ok(row!.n > 0n, "nothing waits: the fault did not bite");
        await waitFor("the time to be over", () => Date.now() > until, AWAY_MS * 2);
      } finally {
        process.kill(pid, "SIGCONT");
      }
    });
    t.diagnostic(outcome);
  } finally {
    await books.close();
  }
});

test("F12 PostgreSQL restarts at once: no process dies, and all serve again within 10 s", async (t) => {
  const outcome = await ground.under(async (load) => {
    for (let round = 0; round < (FULL ? 10 : HOUR ? 3 : 1); round++) {
      const before = ground.servicePids();
      const lockFile = join(ground.platform.dataDirectory, "postgres", "data", "postmaster.pid");
      const pid = Number(readFileSync(lockFile, "utf8").split("\n")[0]);
      const first = ground.pidOf("postgres");
      process.kill(pid, "SIGQUIT"); // As pg_ctl -m immediate does.
      await waitFor("another to run", () =>
        ground.platform
          .readUpFile()
          .processes.some(({ name, pid: now }) => name === "postgres" && now !== null && now !== first),
      );
      await waitFor("it to take connections", takesConnections);
      const since = Date.now();
      await ground.progress(load, 1);
      await ground.allReady(10_000 - (Date.now() - since));
      assert.deepEqual(ground.servicePids(), before, "a process died");
      await ground.progress(load, 100);
    }
  });
  t.diagnostic(outcome);
});

/** Resolves when every caller has given its connection up and begun another. */
async function givenUp(connected: readonly Way[], timeoutMs: number): Promise<void> {
  const before = new Map(connected.map(({ proxy }) => [proxy, proxy.counts.connections]));
  const waits = ({ proxy }: Way) => proxy.counts.connections === before.get(proxy);
  await waitFor("callers to give up", () => !connected.some(waits), timeoutMs).catch((error: Error) => {
    const still = connected.filter(waits).map(({ caller }) => caller);
    throw new Error(`${error.message}: ${still.join(", ")}`);
  });
}

/** Why the edge says that it is not ready. */
async function reasonsOfEdge(): Promise<string[]> {
  const response = await fetch(`${ground.platform.edge}/readyz`);
  return ((await response.json()) as { reasons: string[] }).reasons;
}

for (const victim of FULL || HOUR ? ["ledger", "banking", "transfer"] : ["ledger"])
  test(`F21 ${victim} is frozen with its connections open: callers notice within keepalive time and time-out, and it goes on where it was`, async (t) => {
    let noticedMs = 0;
    const outcome = await ground.under(async (load) => {
      await waitFor("the edge to be ready", async () => (await reasonsOfEdge()).length === 0);
      const connected = await waitFor("somebody to notice", async () => {
        await fetch(`${ground.platform.edge}/version`); // So that the edge is connected to all.
        const used = ways.used.filter(({ callee }) => callee === victim);
        return used.some(({ caller }) => caller === "edge") ? used : undefined;
      });
      const pid = ground.pidOf(victim);
      process.kill(pid, "SIGSTOP");
      const frozenAtMs = Date.now();
      try {
        await givenUp(connected, KEEPALIVE.everyMs + KEEPALIVE.timeoutMs + LOOK_MS);
        noticedMs = Date.now() - frozenAtMs;
        // The kernel takes the new connections, and nobody speaks on them.
        const missed = async () =>
          (await reasonsOfEdge()).some((reason) => reason.startsWith(`${victim}: no connection`));
        await waitFor("the edge to say so", missed, CONNECT_MS + LOOK_MS);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await ground.progress(load, 50);
    });
    t.diagnostic(`noticed by all after ${noticedMs} ms, ${outcome}`);
  });

/** One way is enough for every day; `npm run prove` takes them all. */
const DIRECTIONS: Direction[][] = FULL || HOUR ? [["up"], ["down"], ["up", "down"]] : [["down"]];

for (const directions of DIRECTIONS)
  test(`F20 no way ${directions.join(" and ")} to the ledger: what needs it waits or is refused, and nothing is done twice`, async (t) => {
    const before = ways.held;
    const toLedger = ways.all.filter(({ callee }) => callee === "ledger");
    const outcome = await ground.under(async (load) => {
      for (const { proxy } of toLedger) proxy.darken(...directions);
      const until = Date.now() + (FULL ? 60_000 : 3_000);
      await waitFor("the time to be over", () => Date.now() > until, 90_000);
      for (const { proxy } of toLedger) proxy.lighten();
      await ground.progress(load, 50);
    });
    assert.ok(ways.held > before, "the fault did not bite");
    t.diagnostic(outcome);
  });

/** The edge calls all six, all others ask member for the keys, transfer and payment ask ledger and banking. */
const LEAST_WAYS = 15;

/** Cuts each way that is taken, one after another: in a direction of chance, at full length in both. */
async function cutEach(load: Parameters<ProvingGround["progress"]>[0]): Promise<string[]> {
  await fetch(`${ground.platform.edge}/version`); // So that the edge is connected to all.
  const cuts: string[] = [];
  for (const { caller, callee, proxy } of ways.used)
    for (const direction of FULL ? (["up", "down"] as const) : [ground.random.pick<Direction>(["up", "down"])]) {
      const before = proxy.counts.held;
      proxy.darken(direction);
      const until = Date.now() + (FULL ? 60_000 : KEEPALIVE.everyMs + 1_000);
      const bitten = () => proxy.counts.held > before && Date.now() > until;
      // Where nobody calls at the time, the look at the connection is what is lost.
      await waitFor(`something to be lost from ${caller} to ${callee}`, bitten, 90_000);
      proxy.lighten();
      await ground.progress(load, 20);
      cuts.push(`${caller} to ${callee} ${direction}`);
    }
  return cuts;
}

// It takes more than a minute: every day has the ways to the ledger alone.
if (FULL || HOUR)
  test("F20 no way from one service to another, each in turn: what needs it waits or is refused, and nothing is done twice", async (t) => {
    let cuts: string[] = [];
    const outcome = await ground.under(async (load) => {
      cuts = await cutEach(load);
    });
    assert.ok(cuts.length >= LEAST_WAYS, `only ${cuts.join(", ")}`);
    t.diagnostic(`${cuts.join(", ")}; ${outcome}`);
  });
