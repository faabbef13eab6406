import assert from "node:assert/strict";
import { test } from "node:test";
import { createFerryClient, createSession, type SessionTokens } from "./index.ts";

const OLD = { accessToken: "old", refreshToken: "first" };
const NEXT = { accessToken: "next", refreshToken: "second" };
const OTHER = { accessToken: "other", refreshToken: "third" };
const META = { requestId: "r", traceId: "t" };

/** A session whose refresh is answered when the test says so. */
function refreshing() {
  const answer = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  const told: (SessionTokens | undefined)[] = [];
  const session = createSession({ tokens: OLD, onChange: (tokens) => told.push(tokens) });
  const client = createFerryClient({
    baseUrl: "https://api.example",
    fetch: () => {
      asked.resolve();
      return answer.promise;
    },
  });
  const refresh = session.refresh!("old", client);
  return { session, told, refresh, asked: asked.promise, answer: answer.resolve };
}

const granted = () => Response.json({ data: { ...NEXT, tokenType: "Bearer", expiresIn: 600 }, meta: META });
const refused = () => {
  const error = { code: "SESSION_REVOKED", status: 401, message: "it has ended", details: [], retryable: false };
  return Response.json({ error, meta: META }, { status: 401 });
};

test("a refresh gives the session new tokens", async () => {
  const { session, told, refresh, answer } = refreshing();
  answer(granted());
  assert.equal(await refresh, "next");
  assert.deepEqual([session.current(), told], [NEXT, [NEXT]]);
});

test("who logs out while a refresh is under way stays logged out", async () => {
  const { session, refresh, asked, answer } = refreshing();
  await asked;
  session.clear();
  answer(granted());
  assert.equal(await refresh, undefined);
  assert.equal(session.current(), undefined);
});

test("who logs in anew while a refresh is under way keeps the new tokens, however it ends", async () => {
  for (const end of [granted, refused]) {
    const { session, refresh, asked, answer } = refreshing();
    await asked;
    session.keep(OTHER);
    answer(end());
    if (end === granted) assert.equal(await refresh, undefined, "the call that waited was another's");
    else await assert.rejects(refresh, { code: "SESSION_REVOKED" });
    assert.deepEqual(session.current(), OTHER);
  }
});
