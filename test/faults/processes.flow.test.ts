// What can happen to the processes of a platform under load: killed at any time, killed again while they take back
// what they did, frozen, cut off; and what they stand on killed or frozen.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openSources } from "../books/sources.ts";
import { toBank } from "../support/client.ts";
import { waitFor } from "../support/platform.ts";
import { type Direction, TcpProxy } from "../support/tcp-proxy.ts";
import { FULL, HOUR, ProvingGround } from "./proving-ground.ts";

const RANDOM_KILLS = FULL ? 300 : HOUR ? 30 : 10;
const AWAY_MS = FULL ? 60_000 : 4_000;
const VICTIMS = ["member", "ledger", "banking", "transfer", "payment", "edge", "broker", "bank", "postgres"];

let ground: ProvingGround;
/** Everybody's way to the ledger. */
let proxy: TcpProxy;
before(async () => {
  const port = randomInt(23_000, 26_000);
  proxy = await TcpProxy.start({ port });
  const route = `http://127.0.0.1:${proxy.port}`;
  ground = await ProvingGround.open({ FERRY_LEDGER_PORT: String(port), FERRY_ROUTE_ledger: route });
});
after(async () => {
  await ground.close();
  await proxy.close();
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

test("F2 kill -9 of any process at any moment", async (t) => {
  let kills = 0;
  const outcome = await ground.under(async (load) => {
    while (kills < RANDOM_KILLS) {
      await pause(ground.random.below(500));
      const victim = ground.random.pick(VICTIMS);
      const { pid } = ground.platform.readUpFile().processes.find(({ name }) => name === victim)!;
      if (pid === null) continue; // It is on its way back.
      ground.platform.kill9(victim);
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
      process.kill(pid, "SIGQUIT"); // As pg_ctl -m immediate does.
      await waitFor("it to be gone", () =>
        ground.platform.readUpFile().processes.some(({ name, pid: now }) => name === "postgres" && now === null),
      );
      await waitFor("it to be back", () =>
        ground.platform.readUpFile().processes.some(({ name, pid: now }) => name === "postgres" && now !== null),
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

for (const victim of FULL || HOUR ? ["ledger", "banking", "transfer"] : ["ledger"])
  test(`F21 ${victim} is frozen with its connections open: callers notice, and it goes on where it was`, async (t) => {
    const outcome = await ground.under(async (load) => {
      const pid = ground.pidOf(victim);
      process.kill(pid, "SIGSTOP");
      const until = Date.now() + (FULL ? 45_000 : 3_000);
      try {
        await waitFor("the time to be over", () => Date.now() > until, 90_000);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await ground.progress(load, 50);
    });
    t.diagnostic(outcome);
  });

/** One way is enough for every day; `npm run prove` takes them all. */
const WAYS: Direction[][] = FULL || HOUR ? [["up"], ["down"], ["up", "down"]] : [["down"]];

for (const directions of WAYS)
  test(`F20 no way ${directions.join(" and ")} to the ledger: what needs it waits or is refused, and nothing is done twice`, async (t) => {
    const before = proxy.counts.held;
    const outcome = await ground.under(async (load) => {
      proxy.darken(...directions);
      const until = Date.now() + (FULL ? 60_000 : 3_000);
      await waitFor("the time to be over", () => Date.now() > until, 90_000);
      proxy.lighten();
      await ground.progress(load, 50);
    });
    assert.ok(proxy.counts.held > before, "the fault did not bite");
    t.diagnostic(outcome);
  });
