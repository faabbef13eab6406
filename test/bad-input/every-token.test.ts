// Every route, through every door, with every token that lets nobody in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { scopesOf } from "@ferry/platform/auth";
import { MEMBER_ID } from "../../edge/testing/harness.ts";
import { forge } from "../../platform/auth/testing/forge.ts";
import { doorCalls } from "./support/doors.ts";
import { assertRefused, KID, nameOf, openEdge, refusalOf, render, type Sample, type TestEdge } from "./support/edge.ts";
import { badTokens, goodClaims } from "./support/tokens.ts";

const STATUS: Record<string, number> = { PERMISSION_DENIED: 403, SCOPE_MISSING: 403, MEMBER_SUSPENDED: 403 };
const isPublic = ({ plan }: Sample) => plan.policy.auth === "public";

/** Sends the same request through REST, Connect and gRPC-Web; it must be refused with one reason by all. */
async function refusedEverywhere(edge: TestEdge, sample: Sample, authorization: string | undefined, reason: string) {
  const { plan, example } = sample;
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const { payload, ...rendered } = render(plan, example);
  const answer = await edge.app.inject({
    ...{ ...rendered, headers: { ...rendered.headers, ...headers } },
    ...(payload === undefined ? {} : { payload }),
  });
  assertRefused(refusalOf(answer), STATUS[reason] ?? 401, reason, nameOf(plan));
  if (STATUS[reason] === undefined) assert.match(String(answer.headers["www-authenticate"]), /^Bearer/, nameOf(plan));
  for (const { door, call } of doorCalls(edge, sample)) {
    const told = await call(headers);
    assert.deepEqual(told, { code: STATUS[reason] === undefined ? 16 : 7, reason }, `${door} ${nameOf(plan)}`);
  }
}

/** A token of the tests' own key, with other claims than an operator's. */
const tokenOf = ({ keys }: TestEdge, claims: object) =>
  `Bearer ${forge(keys.privateKeyPem, { alg: "ES256", typ: "at+jwt", kid: KID }, { ...goodClaims(), ...claims })}`;

test("every request of these tests is taken with a good token, by every door", async () => {
  const edge = await openEdge();
  assert.ok(edge.samples.length >= 60, `${edge.samples.length} routes`);
  for (const sample of edge.samples) {
    const { payload, ...rendered } = render(sample.plan, sample.example);
    const headers = { ...rendered.headers, authorization: tokenOf(edge, {}) };
    const answer = await edge.app.inject({ ...rendered, headers, ...(payload === undefined ? {} : { payload }) });
    assert.ok(answer.statusCode < 300, `${nameOf(sample.plan)}: ${answer.body}`);
    assert.ok(edge.seen.splice(0).length > 0, nameOf(sample.plan));
    for (const { door, call } of doorCalls(edge, sample)) {
      const told = await call({ authorization: headers.authorization });
      assert.equal(told.code, 0, `${door} ${nameOf(sample.plan)} ${told.reason}`);
      assert.ok(edge.seen.splice(0).length > 0, `${door} ${nameOf(sample.plan)}`);
    }
  }
});

test("no bad token gets through any door to any route", async () => {
  const edge = await openEdge();
  const tokens = await badTokens(edge);
  const closed = edge.samples.filter((sample) => !isPublic(sample));
  assert.ok(tokens.length >= 50 && closed.length >= 60, `${tokens.length} tokens, ${closed.length} routes`);
  for (const sample of closed)
    for (const { authorization, reason } of tokens) await refusedEverywhere(edge, sample, authorization, reason);
  assert.deepEqual(edge.seen, []);
});

test("public routes never look at a token, nor pass it on", async () => {
  const edge = await openEdge();
  const open = edge.samples.filter(isPublic);
  const tokens = (await badTokens(edge)).filter((token) => token.authorization !== undefined);
  assert.ok(open.length >= 4 && tokens.length >= 50);
  for (const { plan, example } of open)
    for (const { what, authorization } of tokens) {
      const { payload = "", headers, ...target } = render(plan, example);
      const answer = await edge.app.inject({
        ...{ ...target, payload },
        headers: { ...headers, authorization: authorization! },
      });
      assert.ok(answer.statusCode < 300, `${nameOf(plan)}, ${what}: ${answer.body}`);
      const calls = edge.seen.splice(0);
      assert.ok(calls.length > 0 && calls.every((call) => !call.headers.has("authorization")), nameOf(plan));
    }
});

test("a token without one of a route's scopes, and a member's on an operators' route, are refused", async () => {
  const edge = await openEdge();
  let [scopes, operators] = [0, 0];
  for (const sample of edge.samples) {
    const { policy } = sample.plan;
    for (const missing of policy.scopes) {
      const scope = scopesOf("operator").filter((one) => one !== missing);
      await refusedEverywhere(edge, sample, tokenOf(edge, { scope: scope.join(" ") }), "SCOPE_MISSING");
      scopes++;
    }
    if (policy.auth !== "operator") continue;
    // Whatever its scopes say: the role alone decides.
    await refusedEverywhere(edge, sample, tokenOf(edge, { role: "member" }), "PERMISSION_DENIED");
    await refusedEverywhere(edge, sample, tokenOf(edge, { role: "member", client_id: "c" }), "PERMISSION_DENIED");
    operators++;
  }
  assert.ok(scopes >= 60 && operators >= 15, `${scopes} scopes, ${operators} operators' routes`);
  assert.deepEqual(edge.seen, []);
});

test("a suspended member is refused with a token from before, but where the contract leaves it to the service", async () => {
  const edge = await openEdge();
  const before = tokenOf(edge, {});
  edge.suspend(MEMBER_ID);
  let [refused, left] = [0, 0];
  for (const sample of edge.samples.filter((one) => !isPublic(one))) {
    if (!sample.plan.policy.handlesSuspension) {
      await refusedEverywhere(edge, sample, before, "MEMBER_SUSPENDED");
      refused++;
      continue;
    }
    // A replay is still answered: only the service knows whether it is one.
    assert.deepEqual(edge.seen, []);
    const { payload = "", headers, ...target } = render(sample.plan, sample.example);
    await edge.app.inject({ ...target, payload, headers: { ...headers, authorization: before } });
    assert.equal(edge.seen.splice(0).length, 1, nameOf(sample.plan));
    left++;
  }
  assert.ok(refused >= 55 && left >= 5, `${refused} refused, ${left} left to services`);
  assert.deepEqual(edge.seen, []);
});
