import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { HttpAnswer, HttpRequest } from "./http.ts";
import { Tokens } from "./tokens.ts";

/** Longer than the time between two renewals of three members. */
const TURN_MS = 2 * 60_000;

function setUp(answer: (refreshToken: string) => Pick<HttpAnswer, "status" | "body">) {
  mock.timers.enable({ apis: ["setInterval"] });
  const failures: string[] = [];
  const members = ["a", "b", "c"].map((name) => ({ accessToken: `${name}1`, refreshToken: `refresh-${name}1` }));
  const http = {
    send: async ({ body }: HttpRequest) => ({ headers: {}, ...answer(JSON.parse(body ?? "").refreshToken) }),
    close: async () => {},
  };
  const tokens = new Tokens(members, http, (what, example) => failures.push(`${what}: ${example}`));
  tokens.start();
  return {
    failures,
    tokens,
    async turn() {
      mock.timers.tick(TURN_MS);
      await new Promise(setImmediate);
      return [0, 1, 2].map((member) => tokens.of(member));
    },
    end() {
      tokens.stop();
      mock.timers.reset();
    },
  };
}

const renewed = (refreshToken: string) => {
  const [, name = "", count = ""] = /refresh-(\w)(\d)/.exec(refreshToken) ?? [];
  const next = `${name}${Number(count) + 1}`;
  return { status: 201, body: JSON.stringify({ data: { accessToken: next, refreshToken: `refresh-${next}` } }) };
};

test("members are renewed one after the other, with the newest refresh token", async () => {
  const { turn, failures, end } = setUp(renewed);
  assert.deepEqual(await turn(), ["Bearer a2", "Bearer b1", "Bearer c1"]);
  await turn();
  await turn();
  assert.deepEqual(await turn(), ["Bearer a3", "Bearer b2", "Bearer c2"]);
  assert.deepEqual(failures, []);
  end();
});

test("one that was refused for load is tried again and no failure; any other answer is", async () => {
  let status = 503;
  const { turn, failures, end } = setUp((token) => (status === 201 ? renewed(token) : { status, body: "no" }));
  assert.deepEqual(await turn(), ["Bearer a1", "Bearer b1", "Bearer c1"]);
  assert.deepEqual(failures, []);
  status = 201;
  assert.deepEqual(await turn(), ["Bearer a2", "Bearer b1", "Bearer c1"]);
  status = 401;
  await turn();
  assert.match(failures[0] ?? "", /could not be renewed: Error: 401 no/);
  end();
});
