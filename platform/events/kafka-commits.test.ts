import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { Commits } from "./kafka-commits.ts";

/** A group's commits, with what kafkajs is asked for. `failures` are thrown by the first ones. */
function setUp(context: TestContext, failures: Error[] = []) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const stopping = new AbortController();
  let commits = 0;
  const payload = {
    async commitOffsetsIfNecessary() {
      commits++;
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    },
  } as unknown as KafkaJs.EachBatchPayload;
  const subject = new Commits({ group: "g", logger: silentLogger, stopping: stopping.signal });
  const pass = async (ms: number) => {
    context.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  return { subject, payload, stopping, pass, commits: () => commits };
}

test("the first set is committed at once, those that follow together after 500 ms, and then nothing", async (context) => {
  const { subject, payload, pass, commits } = setUp(context);
  for (let set = 0; set < 20; set++) await subject.resolved(payload);
  await pass(0);
  assert.equal(commits(), 1);
  await pass(499);
  assert.equal(commits(), 1);
  await subject.resolved(payload);
  await pass(1);
  assert.equal(commits(), 2);
  await pass(5_000);
  assert.equal(commits(), 2);
});

test("what could not be committed is tried again", async (context) => {
  const { subject, payload, pass, commits } = setUp(context, [new Error("away"), new Error("away")]);
  await subject.resolved(payload);
  await pass(0);
  assert.equal(commits(), 1);
  for (const wanted of [2, 3, 3]) {
    await pass(500);
    assert.equal(commits(), wanted);
  }
});

test("a member that is none any more does not try again: kafkajs joins anew", async (context) => {
  const lost = Object.assign(new Error("lost"), { type: "UNKNOWN_MEMBER_ID" });
  const { subject, payload, pass, commits } = setUp(context, [lost]);
  await subject.resolved(payload);
  for (const ms of [0, 500, 500]) await pass(ms);
  assert.equal(commits(), 1);
});

test("while the subscription stops, a set is let go when it is committed", async (context) => {
  const { subject, payload, stopping, commits } = setUp(context);
  await subject.resolved(payload);
  stopping.abort();
  await subject.flush();
  assert.equal(commits(), 1);
  await subject.resolved(payload);
  assert.equal(commits(), 2);
});
