import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { scopesOf } from "@ferry/platform/auth";
import { compileEdgeRoutes, type EdgePlan } from "./routes.ts";
import { createHarness, type Harness, MEMBER_ID } from "./testing/harness.ts";

/** A request that matches the route; its body keeps no rule, so that only who gets past the door is told so. */
function requestOf({ route }: EdgePlan, authorization: string | undefined) {
  const url = route.template.segments
    .map((segment) => `/${segment.kind === "literal" ? segment.text : MEMBER_ID}`)
    .join("");
  return {
    method: route.httpMethod as "GET",
    url: `${url}${route.template.verb === "" ? "" : `:${route.template.verb}`}`,
    headers: { "idempotency-key": "k", ...(authorization === undefined ? {} : { authorization }) },
    ...(route.takesBody ? { payload: { noSuchField: 1 } } : { query: { noSuchField: "1" } }),
  };
}

const plansOf = ({ backends }: Harness) =>
  compileEdgeRoutes(new Map(backends.map((backend) => [backend.name, backend]))).plans;

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The same claims under another header or key. */
function forgeries(bearer: string): [name: string, authorization: string][] {
  const [header = "", claims = "", signature = ""] = bearer.slice("Bearer ".length).split(".");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed = (text: string) =>
    `Bearer ${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  const operator = { ...JSON.parse(Buffer.from(claims, "base64url").toString()), role: "operator" };
  return [
    ["no scheme", `${header}.${claims}.${signature}`],
    ["basic", "Basic YTpi"],
    ["empty token", "Bearer "],
    ["no signature", `Bearer ${header}.${claims}.`],
    ["other claims", `Bearer ${header}.${encode(operator)}.${signature}`],
    ["alg none", `Bearer ${encode({ alg: "none", typ: "at+jwt", kid: "k1" })}.${claims}.`],
    ["alg nOnE", `Bearer ${encode({ alg: "nOnE", typ: "at+jwt", kid: "k1" })}.${claims}.${signature}`],
    ["other key", signed(`${header}.${claims}`)],
    ["unknown kid", signed(`${encode({ alg: "ES256", typ: "at+jwt", kid: "../k1" })}.${claims}`)],
    ["own key inside", signed(`${encode({ alg: "ES256", typ: "at+jwt", kid: "k1", jwk: {} })}.${claims}`)],
    ["refresh token", signed(`${encode({ alg: "ES256", typ: "rt+jwt", kid: "k1" })}.${claims}`)],
    ["ten kilobytes", `Bearer ${"x".repeat(10_240)}`],
  ];
}

test("every route but the public ones refuses every bad token, and no service hears of it", async () => {
  const harness = await createHarness();
  const expired = harness.bearer("member", MEMBER_ID, Date.now() - 3_600_000);
  const bad: [string, string | undefined][] = [
    ["none", undefined],
    ["expired", expired],
    ...forgeries(harness.bearer()),
  ];
  const plans = plansOf(harness);
  assert.ok(plans.length >= 20);
  for (const plan of plans) {
    for (const [name, authorization] of bad) {
      const answer = await harness.app.inject(requestOf(plan, authorization));
      const what = `${plan.route.httpMethod} ${plan.route.template.source} with ${name}: ${answer.body}`;
      const { error, meta } = answer.json();
      assert.equal(answer.statusCode, plan.policy.auth === "public" ? 400 : 401, what);
      assert.equal(error.status, answer.statusCode, what);
      assert.equal(meta.requestId, answer.headers["x-request-id"], what);
      if (plan.policy.auth !== "public") assert.match(String(answer.headers["www-authenticate"]), /^Bearer /, what);
    }
  }
  assert.deepEqual(harness.seen, []);
});

test("every operator's route refuses a member, and lets an operator as far as the body", async () => {
  const harness = await createHarness();
  const plans = plansOf(harness).filter(({ policy }) => policy.auth === "operator");
  assert.ok(plans.length >= 6);
  for (const plan of plans) {
    const refused = await harness.app.inject(requestOf(plan, harness.bearer("member")));
    assert.equal(refused.statusCode, 403, plan.route.template.source);
    assert.equal(refused.json().error.code, "PERMISSION_DENIED");
    const heard = await harness.app.inject(requestOf(plan, harness.bearer("operator")));
    assert.equal(heard.statusCode, 400, heard.body);
  }
});

test("a suspended member is refused on every route but those that decide themselves", async () => {
  const harness = await createHarness();
  const authorization = harness.bearer();
  const plans = plansOf(harness).filter(({ policy }) => policy.auth === "member");
  await harness.app.inject(requestOf(plans[0]!, authorization)); // The token is known as good from here on.
  harness.suspend(MEMBER_ID);
  for (const plan of plans) {
    const answer = await harness.app.inject(requestOf(plan, authorization));
    assert.equal(answer.statusCode, plan.policy.handlesSuspension ? 400 : 403, plan.route.template.source);
    if (!plan.policy.handlesSuspension) assert.equal(answer.json().error.code, "MEMBER_SUSPENDED");
  }
  assert.deepEqual(harness.seen, []);
});

test("every route but the public ones asks for scopes, each of which its callers can have", async () => {
  const plans = plansOf(await createHarness()).filter(({ policy }) => policy.auth !== "public");
  for (const { policy, route } of plans) {
    const { scopes, auth } = policy;
    const what = `${route.httpMethod} ${route.template.source}: ${scopes.join(" ")}`;
    assert.ok(scopes.length > 0, what);
    const known = scopesOf(auth === "operator" ? "operator" : "member");
    assert.deepEqual(
      scopes.filter((scope) => !known.includes(scope)),
      [],
      what,
    );
  }
});

test("a machine gets as far as its scopes reach: no further with one too few, and never to what is for people", async () => {
  const harness = await createHarness();
  const plans = plansOf(harness).filter(({ policy }) => policy.auth !== "public");
  for (const plan of plans) {
    const { scopes, auth } = plan.policy;
    const role = auth === "operator" ? "operator" : "member";
    const what = `${plan.route.httpMethod} ${plan.route.template.source}`;
    const enough = await harness.app.inject(requestOf(plan, harness.machine(scopes, role)));
    assert.equal(enough.statusCode, 400, `${what}: ${enough.body}`);
    for (const missing of scopes) {
      const others = scopesOf(role).filter((scope) => scope !== missing);
      const refused = await harness.app.inject(requestOf(plan, harness.machine(others, role)));
      assert.deepEqual([refused.statusCode, refused.json().error.code], [403, "SCOPE_MISSING"], what);
    }
  }
  assert.deepEqual(harness.seen, []);
});

test("a public rpc hears where the caller is from the edge alone, any other rpc not at all", async () => {
  const harness = await createHarness();
  const claimed = {
    ...{ "x-ferry-client-address": "6.6.6.6", "x-ferry-client-agent": "forged", "x-forwarded-for": "6.6.6.6" },
    "user-agent": `curl/8 \u00e9 ${"x".repeat(300)}`,
  };
  const payload = { email: "a@example.com", password: "x" };
  await harness.app.inject({ method: "POST", url: "/v1/sessions", headers: claimed, payload });
  await harness.app.inject({
    url: "/v1/members/me",
    headers: { ...claimed, authorization: harness.bearer() },
  });
  const [logIn, me] = harness.seen;
  assert.equal(logIn?.headers.get("x-ferry-client-address"), "127.0.0.1");
  assert.equal(logIn?.headers.get("x-ferry-client-agent"), `curl/8 ? ${"x".repeat(247)}`);
  assert.equal(logIn?.headers.get("x-forwarded-for"), null);
  for (const name of ["x-ferry-client-address", "x-ferry-client-agent", "x-forwarded-for"])
    assert.equal(me?.headers.get(name), null, name);
});

test("a machine can ask for its token by the form of RFC 6749; the body goes on as it came", async () => {
  const harness = await createHarness();
  const payload = "grant_type=client_credentials&client_id=c&client_secret=s%26t";
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const answer = await harness.app.inject({ method: "POST", url: "/v1/tokens", headers, payload });
  assert.equal(answer.statusCode, 201, answer.body);
  const [call] = harness.seen;
  assert.equal(call?.rpc, "CreateToken");
  const { form } = call.request as { form: Uint8Array };
  assert.equal(Buffer.from(form).toString(), payload);
});
