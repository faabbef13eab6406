// A payment's command does not expire. Banking is away when it is sent, the saga parks, an operator, to whom the bank
// has said truthfully that nothing came, undoes it, and banking comes back: the command still lies before it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SendPaymentRequestSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { Bus, MemoryBus, ReceivedRecord, SubscribeOptions } from "@ferry/platform/events";
import { asOperator } from "../support/credentials.ts";
import { waitFor } from "../support/platform.ts";
import { type House, startHouse } from "./house.ts";

const isPayment = ({ headers }: ReceivedRecord) => headers.ce_type === SendPaymentRequestSchema.typeName;

/** How payments come to banking: in order, once the gate is open; or later than all that was sent after them. */
const way = { gate: Promise.resolve(), open: () => {}, delayed: undefined as (() => Promise<void>)[] | undefined };

function leavesAt(bus: MemoryBus): Bus {
  return {
    logger: bus.logger,
    publish: (records) => bus.publish(records),
    ensureTopics: (topics) => bus.ensureTopics(topics),
    close: () => bus.close(),
    subscribe: (options: SubscribeOptions) =>
      bus.subscribe({
        ...options,
        async handle(set) {
          const payments = set.filter(isPayment);
          if (payments.length > 0) await way.gate;
          if (payments.length > 0) way.delayed?.push(() => options.handle(payments));
          await options.handle(way.delayed === undefined ? set : set.filter((each) => !isPayment(each)));
        },
      }),
  };
}

let house: House;
before(async () => {
  // A step that got no answer within its 10 s parks; what is undone has time, also where this process has to wait.
  house = await startHouse({ parkAfterMs: 8_000, busOf: (name, bus) => (name === "banking" ? leavesAt(bus) : bus) });
});
after(async () => {
  way.open();
  await house.stop();
});

/** A transfer whose payment banking has not heard of when its time is over. */
async function parkOne(): Promise<string> {
  const { transfer } = await house.send(await house.open(100n), "1234", 60n);
  assert.deepEqual(await house.ended([transfer!.id]), { PARKED: 1 });
  return transfer!.id;
}

const undo = (sagaId: string) =>
  house.operators.undoSaga({ sagaId, reason: "the bank says that nothing came" }, asOperator);

test("a pivot undone while its command lies before its receiver: it is carried out, and the saga goes on", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  Object.assign(way, { gate: promise, open: resolve });
  const id = await parkOne();
  await undo(id);
  const held = await house.databases.transfer.query("SELECT 1 FROM transfer WHERE id = $1 AND state = 'HELD'", [id]);
  assert.equal(held.length, 1, "nothing is undone before banking has answered");
  way.open();
  assert.deepEqual(await house.ended([id]), { COMPLETED: 1 });
  await house.expectMoneyRight();
});

test("a pivot undone, and its command comes after that: it is refused, and the bank never hears of it", async () => {
  const delayed: (() => Promise<void>)[] = [];
  way.delayed = delayed;
  const id = await parkOne();
  await undo(id);
  assert.deepEqual(await house.ended([id]), { FAILED: 1 });
  for (const deliver of delayed) await deliver();
  way.delayed = undefined;
  const calls = await waitFor("the late payment to be answered", async () => {
    const rows = await house.databases.banking.query<{ call: string }>(
      "SELECT operation || ' ' || outcome || ' ' || coalesce(failure_code, '') AS call FROM bank_call WHERE reference = $1 AND operation IN ('send', 'void') ORDER BY seq",
      [id],
    );
    return rows.length > 1 && rows.every(({ call }) => !call.includes("pending")) ? rows : undefined;
  });
  assert.deepEqual(
    calls.map(({ call }) => call),
    ["void refused PAYMENT_VOIDED", "send refused PAYMENT_VOIDED"],
  );
  await house.expectMoneyRight();
});
