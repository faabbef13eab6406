// The same flows on an Apache Kafka and a PostgreSQL of one's own, named by the environment.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { availableBrokers } from "../contract/kafka/brokers.ts";
import { booksOf } from "../support/books.ts";
import { EdgeCaller } from "../support/client.ts";
import { makeParties, type Party, sendLoad, waitForEnds } from "../support/load.ts";
import { Platform } from "../support/platform.ts";

const TRANSFERS = 200;

const apacheKafka = availableBrokers().find(({ name }) => name === "apache-kafka");
const skip = apacheKafka === undefined ? "no Apache Kafka here (FERRY_TEST_KAFKA=1 with Java and Maven)" : false;

let kafka: { brokers: string; stop(): Promise<void> } | undefined;
let platform: Platform | undefined;

before(async () => {
  if (apacheKafka === undefined) return;
  kafka = await apacheKafka.start();
  const databaseUrl = process.env.FERRY_TEST_DATABASE_URL ?? "";
  platform = await Platform.start({
    environment: { KAFKA_BROKERS: kafka.brokers, DATABASE_URL: databaseUrl },
    firstTransfer: true,
  });
});
after(async () => {
  await platform?.stop();
  await kafka?.stop();
});

test("with KAFKA_BROKERS and DATABASE_URL the same transfers pass, and the books hold", { skip }, async () => {
  assert.ok(platform !== undefined);
  const names = platform.readUpFile().processes.map(({ name }) => name);
  assert.equal(names.includes("broker") || names.includes("postgres"), false);
  assert.match(platform.output.join("\n"), /First transfer .* COMPLETED/);
  const edge = new EdgeCaller(platform.edge);
  const parties = await makeParties(edge, 4);
  const promised = await sendLoad({ edge, parties, transfers: TRANSFERS, callers: 32, waitSeconds: 20 });
  assert.deepEqual([...(await waitForEnds(edge, promised))], [["TRANSFER_STATE_COMPLETED", TRANSFERS]]);
  assert.deepEqual((await booksOf(platform)).findings, []);
});

test("payments and refunds pass, too: their topics are made where they are first named", { skip }, async () => {
  assert.ok(platform !== undefined);
  const edge = new EdgeCaller(platform.edge);
  const [payer, merchant] = (await makeParties(edge, 2)) as [Party, Party];
  const amount = { currency: "EUR", minorUnits: "100" };
  const ask = async (token: string, path: string, body: object) => {
    const headers = { "idempotency-key": randomUUID(), prefer: "wait=20" };
    return (await edge.insist("POST", path, { token, headers, body })).body.data;
  };
  const body = { sourceAccountId: payer.accountId, merchantAccountId: merchant.accountId, amount };
  const states: string[] = [];
  for (const accountNumber of [undefined, "2200000001", "2200009402"]) {
    const { payment } = await ask(payer.token, "/v1/payments", body);
    const bankAccount = accountNumber === undefined ? {} : { bankAccount: { bankCode: "081", accountNumber } };
    const { refund } = await ask(merchant.token, `/v1/payments/${payment.id}/refunds`, { amount, ...bankAccount });
    states.push(refund.state);
  }
  assert.deepEqual(states, ["REFUND_STATE_COMPLETED", "REFUND_STATE_COMPLETED", "REFUND_STATE_FAILED"]);
  const { findings, figures } = await booksOf(platform);
  assert.deepEqual([findings, figures.refunds, figures.refundsTakenBack], [[], 3, 1]);
});
