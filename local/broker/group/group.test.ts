import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "../protocol/error-codes.ts";
import { Group } from "./group.ts";
import { chooseProtocol, type JoinAnswer, type JoinRequest } from "./member.ts";

const LIMITS = { maxMembers: 3, disconnectGraceMs: 300 };

function request(connection: object, changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    connection,
    clientId: "client",
    clientHost: "/127.0.0.1",
    memberId: "",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: Buffer.from("topics") }],
    ...changes,
  };
}

/** A group that its members, each on a connection of its own, have brought to Stable. */
async function formGroup(count: number) {
  const group = new Group("billing", LIMITS);
  const connections = Array.from({ length: count }, () => ({}));
  let answers: JoinAnswer[] = [];
  for (let size = 1; size <= count; size += 1) {
    const newcomer = group.join(request(connections[size - 1]!)); // first: it is what makes the others rejoin
    const joins = answers.map((answer, at) => group.join(request(connections[at]!, { memberId: answer.memberId })));
    answers = await Promise.all([...joins, newcomer]);
  }
  const assignments = answers.map(({ memberId }, at) => ({ memberId, assignment: Buffer.from([at]) }));
  const syncs = answers.map(({ memberId, generation }, at) => {
    return group.sync(memberId, generation, assignments, connections[at]!);
  });
  const assigned = await Promise.all(syncs);
  return { group, connections, answers, assigned: assigned.map(({ assignment }) => assignment[0]) };
}

test("members join, the leader alone sees all of them, and each gets what the leader gave it", async () => {
  const { group, answers, assigned } = await formGroup(3);
  assert.equal(group.state, "Stable");
  assert.equal(new Set(answers.map(({ memberId }) => memberId)).size, 3);
  assert.deepEqual(
    answers.map(({ members, generation }) => [members.length, generation]),
    [
      [3, 3],
      [0, 3],
      [0, 3],
    ],
  );
  assert.deepEqual(assigned, [0, 1, 2]);
  group.close();
});

test("a new member makes the others rejoin; who does not is left out at the end of the rebalance", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { group, connections, answers } = await formGroup(2);
  const [first, second] = answers as [JoinAnswer, JoinAnswer];
  const newcomer = group.join(request({}, { rebalanceTimeoutMs: 5_000 }));
  assert.equal(group.heartbeat(first.memberId, 2, connections[0]!), ErrorCode.REBALANCE_IN_PROGRESS);
  const rejoined = group.join(
    request(connections[0]!, { memberId: first.memberId, sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 5_000 }),
  );
  // The second one is alive, but does not rejoin.
  for (let second5 = 0; second5 < 12; second5 += 1) {
    group.heartbeat(second.memberId, 2, connections[1]!);
    context.mock.timers.tick(5_000);
  }
  assert.deepEqual([(await newcomer).generation, (await rejoined).generation], [3, 3]);
  assert.equal((await rejoined).members.length, 2);
  assert.equal(group.heartbeat(second.memberId, 2, connections[1]!), ErrorCode.UNKNOWN_MEMBER_ID);
  group.close();
});

test("requests of strangers and of older generations are refused", async () => {
  const { group, connections, answers } = await formGroup(1);
  const { memberId } = answers[0]!;
  assert.equal(group.heartbeat("stranger", 1, {}), ErrorCode.UNKNOWN_MEMBER_ID);
  assert.equal(group.heartbeat(memberId, 0, connections[0]!), ErrorCode.ILLEGAL_GENERATION);
  assert.equal((await group.sync(memberId, 0, [], connections[0]!)).error, ErrorCode.ILLEGAL_GENERATION);
  assert.equal((await group.join(request({}, { memberId: "stranger" }))).error, ErrorCode.UNKNOWN_MEMBER_ID);
  const other = request({}, { protocols: [{ name: "sticky", metadata: Buffer.alloc(0) }] });
  assert.equal((await group.join(other)).error, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assert.equal((await group.join(request({}, { protocols: [] }))).error, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assert.equal(
    (await group.join(request({}, { protocolType: "connect" }))).error,
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
  );
  assert.equal(group.leave("stranger"), ErrorCode.UNKNOWN_MEMBER_ID);
  group.close();
});

test("a group takes no more members than its limit", async () => {
  const { group } = await formGroup(3);
  assert.equal((await group.join(request({}))).error, ErrorCode.GROUP_MAX_SIZE_REACHED);
  group.close();
});

test("a member that is silent for its session time-out is removed, and the others rebalance", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { group, connections, answers } = await formGroup(2);
  context.mock.timers.tick(9_000);
  assert.equal(group.heartbeat(answers[0]!.memberId, 2, connections[0]!), ErrorCode.NONE);
  context.mock.timers.tick(1_500);
  assert.deepEqual([...group.members.keys()], [answers[0]!.memberId]);
  assert.equal(group.heartbeat(answers[0]!.memberId, 2, connections[0]!), ErrorCode.REBALANCE_IN_PROGRESS);
  context.mock.timers.tick(10_000);
  assert.equal(group.state, "Empty");
  group.close();
});

test("a member whose connection closed is removed after the grace, unless it shows itself on another", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { group, connections, answers } = await formGroup(2);
  const [first, second] = answers as [JoinAnswer, JoinAnswer];
  for (const connection of connections) group.connectionClosed(connection);
  context.mock.timers.tick(200);
  assert.equal(group.heartbeat(first.memberId, 2, {}), ErrorCode.NONE);
  context.mock.timers.tick(150);
  assert.deepEqual([...group.members.keys()], [first.memberId]);
  assert.equal(group.leave(second.memberId), ErrorCode.UNKNOWN_MEMBER_ID);
  group.close();
});

test("a member that died while it waited for the others does not hold them up", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { group, connections, answers } = await formGroup(1);
  const dying = {};
  const lost = group.join(request(dying));
  group.connectionClosed(dying);
  context.mock.timers.tick(301);
  assert.equal((await lost).error, ErrorCode.UNKNOWN_MEMBER_ID);
  const rejoined = await group.join(request(connections[0]!, { memberId: answers[0]!.memberId }));
  assert.deepEqual([rejoined.error, rejoined.members.length], [ErrorCode.NONE, 1]);
  group.close();
});

test("a follower that lost its answer gets the same again; the leader's new join starts a rebalance", async () => {
  const { group, connections, answers } = await formGroup(2);
  const [leader, follower] = answers as [JoinAnswer, JoinAnswer];
  const repeated = await group.join(request(connections[1]!, { memberId: follower.memberId }));
  assert.deepEqual([repeated.generation, group.state], [2, "Stable"]);
  void group.join(request(connections[0]!, { memberId: leader.memberId }));
  assert.equal(group.state, "PreparingRebalance");
  const late = await group.sync(follower.memberId, 2, [], connections[1]!);
  assert.equal(late.error, ErrorCode.REBALANCE_IN_PROGRESS);
  group.close();
});

test("a leader that never shares out the partitions is replaced", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const group = new Group("billing", LIMITS);
  const [one, two] = [{}, {}];
  const first = await group.join(request(one, { rebalanceTimeoutMs: 2_000 }));
  const joins = [group.join(request(two, { rebalanceTimeoutMs: 2_000 }))];
  joins.push(group.join(request(one, { memberId: first.memberId, rebalanceTimeoutMs: 2_000 })));
  const [follower] = (await Promise.all(joins)) as [JoinAnswer, JoinAnswer];
  const waiting = group.sync(follower.memberId, follower.generation, [], two);
  context.mock.timers.tick(2_001);
  assert.equal((await waiting).error, ErrorCode.REBALANCE_IN_PROGRESS);
  const rejoined = await group.join(request(two, { memberId: follower.memberId }));
  assert.equal(rejoined.leaderId, follower.memberId);
  group.close();
});

test("the protocol is the one that most members like best among those that all know", () => {
  const named = (...names: string[]) => names.map((name) => ({ name, metadata: Buffer.alloc(0) }));
  assert.equal(chooseProtocol([named("a", "b"), named("b", "a"), named("b", "a", "c")]), "b");
  assert.equal(chooseProtocol([named("a", "b"), named("c", "b")]), "b");
  assert.equal(chooseProtocol([named("a"), named("b")]), undefined);
});
