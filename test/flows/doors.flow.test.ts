// The edge's other doors on a running platform: a transfer over Connect and over gRPC-Web, and the line of the docs.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { AccountState, LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { TransferService, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { DOORS } from "../../edge/doors/index.ts";
import { doorTransport } from "../../edge/doors/testing/transport.ts";
import { EdgeCaller } from "../support/client.ts";
import { makeParties, type Party } from "../support/load.ts";
import { Platform } from "../support/platform.ts";

let platform: Platform;
let party: Party;

before(async () => {
  platform = await Platform.start({ environment: { FERRY_EDGE_DOORS: DOORS.join(",") } });
  [party] = (await makeParties(new EdgeCaller(platform.edge), 1)) as [Party];
});
after(() => platform.stop());

for (const door of DOORS)
  test(`${door}: a transfer is sent, watched to its end, and replayed`, async () => {
    const transport = doorTransport(door, platform.edge);
    const transfers = createClient(TransferService, transport);
    const headers = { authorization: `Bearer ${party.token}`, "idempotency-key": randomUUID() };
    const request = {
      sourceAccountId: party.accountId,
      destination: { kind: { case: "bankAccount" as const, value: { bankCode: "081", accountNumber: "2200001234" } } },
      amount: { currency: "EUR", minorUnits: 5n },
    };
    const { transfer } = await transfers.createTransfer(request, { headers });
    const transferId = transfer!.id;
    let last: TransferState = TransferState.UNSPECIFIED;
    for await (const change of transfers.watchTransfer({ transferId }, { headers })) last = change.transfer!.state;
    assert.equal(last, TransferState.COMPLETED);
    let replayed: string | null = null;
    const onHeader = (told: Headers) => {
      replayed = told.get("idempotency-replayed");
    };
    const again = await transfers.createTransfer(request, { headers, onHeader });
    assert.deepEqual([again.transfer?.id, replayed], [transferId, "true"]);

    const ledger = createClient(LedgerService, transport);
    const { account } = await ledger.getAccount({ accountId: party.accountId }, { headers });
    assert.equal(account?.state, AccountState.OPEN);
    const other = ledger.getAccount({ accountId: randomUUID() }, { headers });
    await assert.rejects(other, (error) => error instanceof ConnectError && error.code === Code.NotFound);
  });

test("the docs' line works as it stands", async () => {
  const page = readFileSync(new URL("../../docs/doors.md", import.meta.url), "utf8");
  const [, path, body] = /curl -s http:\/\/127\.0\.0\.1:8080(\S+)[^`]*-d '([^']+)'/.exec(page) ?? [];
  const answer = await fetch(platform.edge + path, {
    method: "POST",
    headers: { authorization: `Bearer ${party.token}`, "content-type": "application/json" },
    body: body!,
  });
  assert.equal(answer.status, 200);
  const { transfers } = (await answer.json()) as { transfers: unknown[] };
  assert.equal(transfers.length, 2);
});
