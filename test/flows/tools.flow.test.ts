// The tools of others, against a running platform: grpcurl on every service, kcat on the broker.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { EdgeCaller, toBank } from "../support/client.ts";
import { makeParties, type Party } from "../support/load.ts";
import { Platform, waitFor } from "../support/platform.ts";

const run = promisify(execFile);
const has = (tool: string, ...args: string[]) => spawnSync(tool, args).error === undefined;
const noGrpcurl = has("grpcurl", "-version") ? false : "grpcurl is not installed";
const noKcat = has("kcat", "-V") ? false : "kcat is not installed";
const ID = "01a1fcda-8a87-71df-9844-2ce93e0510b2";
const SERVICES: [name: string, port: number, service: string, business: string, request: string][] = [
  ["member", 9101, "ferry.member.v1.MemberService", "GetCurrentMember", "{}"],
  ["ledger", 9102, "ferry.ledger.v1.LedgerService", "ListAccounts", "{}"],
  ["banking", 9103, "ferry.banking.v1.BankingService", "ListBankCalls", `{"reference": "${ID}"}`],
  ["transfer", 9104, "ferry.transfer.v1.TransferService", "ListTransfers", "{}"],
  ["payment", 9105, "ferry.payment.v1.PaymentService", "GetTopUp", `{"top_up_id": "${ID}"}`],
  ["notify", 9107, "ferry.notify.v1.WebhookService", "ListWebhookEndpoints", "{}"],
];

let platform: Platform;
let party: Party;

before(async () => {
  platform = await Platform.start();
  const edge = new EdgeCaller(platform.edge);
  [party] = (await makeParties(edge, 1)) as [Party];
  await edge.transfer(party.token, toBank(party.accountId, "2200001234", "5"), { waitSeconds: 20 });
});
after(() => platform.stop());

const grpcurl = (...args: string[]) => run("grpcurl", ["-plaintext", ...args]);

for (const [name, port, service, business, request] of SERVICES)
  test(`grpcurl on ${name}: list, health, and no call without credentials`, { skip: noGrpcurl }, async () => {
    const address = platform.addressOf(port);
    const listed = (await grpcurl(address, "list")).stdout.split("\n");
    for (const expected of [service, "grpc.health.v1.Health", "ferry.build.v1.BuildService"])
      assert.ok(listed.includes(expected), expected);
    const health = await grpcurl("-d", JSON.stringify({ service }), address, "grpc.health.v1.Health/Check");
    assert.match(health.stdout, /"status": "SERVING"/);
    const refused = (error: { stderr: string }) => /Code: Unauthenticated/.test(error.stderr);
    await assert.rejects(grpcurl("-d", request, address, `${service}/${business}`), refused);
  });

test("grpcurl describes a service with its http annotation, and calls it with a token", {
  skip: noGrpcurl,
}, async () => {
  const address = platform.addressOf(9104);
  const described = (await grpcurl(address, "describe", "ferry.transfer.v1.TransferService")).stdout;
  assert.match(described, /google\.api\.http/);
  assert.match(described, /\/v1\/transfers/);
  const method = "ferry.transfer.v1.TransferService/ListTransfers";
  const called = await grpcurl("-H", `authorization: Bearer ${party.token}`, "-d", '{"page_size": 1}', address, method);
  assert.match(called.stdout, /TRANSFER_STATE_COMPLETED/);
  await assert.rejects(grpcurl("-d", "{}", address, method), (error: { stderr: string }) =>
    /Code: Unauthenticated/.test(error.stderr),
  );
});

test("kcat lists topics, and reads events alone and in a group", { skip: noKcat }, async () => {
  const broker = platform.addressOf(9092);
  const listed = (await run("kcat", ["-b", broker, "-L"])).stdout;
  for (const topic of [
    "ferry.ledger.commands.v1",
    "ferry.banking.commands.v1",
    "ferry.transfer.replies.v1",
    "ferry.transfer.events.v1",
  ])
    assert.match(listed, new RegExp(`"${topic}"`));
  const format = ["-f", "%h %s\\n", "-e"];
  const alone = ["-b", broker, "-C", "-t", "ferry.transfer.events.v1", "-o", "beginning", ...format];
  // It is published after the commit that the transfer's sender was told of.
  await waitFor("the event to be read", async () =>
    /ce_type=ferry\.transfer\.v1\.TransferCompleted/.test((await run("kcat", alone)).stdout),
  );
  const options = ["-X", "auto.offset.reset=earliest", "-c", "1", "-f", "%h\\n"];
  const grouped = (
    await run("kcat", ["-b", broker, ...options, "-G", "kcat-test", "ferry.transfer.events.v1"], { timeout: 30_000 })
  ).stdout;
  assert.match(grouped, /ce_type=ferry\.transfer\.v1\.TransferCompleted/);
});
