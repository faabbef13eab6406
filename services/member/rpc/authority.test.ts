import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { WatchAuthorityRequestSchema } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { type AuthorityChange, MAX_LISTED } from "@ferry/platform/auth";
import { createAuthorityRpcs } from "./authority.ts";

const ids = (count: number) => Array.from({ length: count }, (_, index) => `m${index}`);

/** How many suspended members stand in each message of a snapshot of so many. */
async function sizesOf(count: number): Promise<(number | undefined)[]> {
  const nothing = { keys: [{ kid: "k1", publicKeyPem: "pem" }], reinstatedMemberIds: [], revokedSessionIds: ["s1"] };
  const all: AuthorityChange = { ...nothing, snapshot: true, suspendedMemberIds: ids(count) };
  const rpcs = createAuthorityRpcs({
    async *watch() {
      yield all;
    },
  });
  const { signal } = new AbortController();
  const messages = await Array.fromAsync(
    rpcs.watchAuthority(create(WatchAuthorityRequestSchema), { signal } as Parameters<typeof rpcs.watchAuthority>[1]),
  );
  assert.deepEqual(
    messages.map(({ snapshot, keys }) => [snapshot, keys?.length]),
    messages.map((_, index) => [index === 0, index === 0 ? 1 : 0]),
  );
  assert.deepEqual(
    messages.flatMap(({ suspendedMemberIds }) => suspendedMemberIds),
    all.suspendedMemberIds,
  );
  return messages.map(({ suspendedMemberIds }) => suspendedMemberIds?.length);
}

test("a long snapshot comes in several messages, and the last of them is never full: by that its end is known", async () => {
  assert.deepEqual(await sizesOf(0), [0]);
  assert.deepEqual(await sizesOf(MAX_LISTED - 1), [MAX_LISTED - 1]);
  assert.deepEqual(await sizesOf(MAX_LISTED), [MAX_LISTED, 0]);
  assert.deepEqual(await sizesOf(2 * MAX_LISTED + 1), [MAX_LISTED, MAX_LISTED, 1]);
});
