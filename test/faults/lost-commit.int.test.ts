// F13: COMMIT is sent and done, and its answer is lost. Nobody may take that for a failure, nor do it twice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { type House, startHouse } from "./house.ts";

let house: House;
const proxies: Partial<Record<string, TcpProxy>> = {};

before(async () => {
  const target = new URL(process.env.FERRY_TEST_DATABASE_URL!);
  for (const name of ["transfer", "ledger", "banking"])
    proxies[name] = await TcpProxy.start({ host: target.hostname, port: Number(target.port) });
  house = await startHouse({ databaseUrl: (name, url) => proxies[name]!.through(url) });
});
after(async () => {
  await house.stop();
  for (const proxy of Object.values(proxies)) await proxy?.close();
});

/** The next COMMIT through a proxy is done, and nobody hears of it. */
const loseNextCommit = (name: string) =>
  proxies[name]!.cutOnce({ direction: "up", when: (bytes) => bytes.includes("COMMIT"), deliver: true });

test("F13 the commit of a request: the same key finds the transfer, which is there once and completes", async () => {
  const payer = await house.open(1_000n);
  // The engine commits now and then by itself: then it was not the request's commit that was lost. The caller's
  // own client asks again by the key, as its contract allows, so what tells is that the answer is a replay.
  for (let attempt = 0; ; attempt++) {
    assert.ok(attempt < 10, "the fault did not bite");
    const key = newUuid();
    const lost = loseNextCommit("transfer");
    const first = await house.send(payer, "1234", 10n, { key }).catch((error: FerryError) => error);
    await lost;
    const again = await house.send(payer, "1234", 10n, { key, waitSeconds: 10 });
    assert.deepEqual([again.replayed, again.transfer!.state], [true, TransferState.COMPLETED]);
    if (first instanceof FerryError || first.replayed) break;
  }
  await house.rest();
  await house.expectMoneyRight();
});

for (const name of ["transfer", "ledger", "banking"])
  test(`F13 a commit on the way of transfers, in ${name}: all end as if nothing had been`, async () => {
    const payer = await house.open(10_000n);
    const cutsBefore = proxies[name]!.counts.cuts;
    const ids: string[] = [];
    for (let count = 0; count < 20; count++) ids.push((await house.send(payer, "1234", 10n)).transfer!.id);
    for (let cut = 0; cut < 3; cut++) {
      const lost = loseNextCommit(name);
      for (let count = 0; count < 10; count++) {
        const key = newUuid();
        const sent = await house.send(payer, "1234", 10n, { key }).catch(() => house.send(payer, "1234", 10n, { key }));
        ids.push(sent.transfer!.id);
      }
      await lost;
    }
    assert.equal(proxies[name]!.counts.cuts - cutsBefore, 3, "the fault did not bite");
    assert.deepEqual(await house.ended(ids), { COMPLETED: 50 });
    await house.expectMoneyRight();
  });
