import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import {
  AuthorityService,
  type WatchAuthorityResponse,
  WatchAuthorityResponseSchema,
} from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { silentLogger } from "@ferry/platform/telemetry";
import { until } from "../../test/support/until.ts";
import { MAX_LISTED } from "./authority.ts";
import { generateKeyPair } from "./keys.ts";
import { watchAuthority } from "./watch.ts";

const keys = [{ kid: "k1", publicKeyPem: generateKeyPair().publicKeyPem }];
const message = (fields: MessageInitShape<typeof WatchAuthorityResponseSchema>) =>
  create(WatchAuthorityResponseSchema, fields);

/** An authority whose n-th stream is the n-th script; after the last one it is away. */
function setUp(...scripts: ((signal: AbortSignal) => AsyncIterable<WatchAuthorityResponse>)[]) {
  let opened = 0;
  const transport = createRouterTransport((router) => {
    router.service(AuthorityService, {
      watchAuthority(_request, context) {
        const script = scripts[opened++];
        if (script === undefined) throw new Error("away");
        return script(context.signal);
      },
    });
  });
  const client = createClient(AuthorityService, transport);
  const watch = watchAuthority({ client, logger: silentLogger, minBackoffMs: 1, maxBackoffMs: 4 });
  return { watch, opened: () => opened };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });

test("it starts with the first snapshot, after an authority that was not up yet, and adds what changes", async () => {
  const { watch, opened } = setUp(
    // biome-ignore lint/correctness/useYield: this stream fails before it says anything.
    async function* () {
      throw new Error("not up yet");
    },
    async function* () {
      yield message({ suspendedMemberIds: ["m9"] }); // No snapshot first: not to be believed.
    },
    async function* (signal) {
      yield message({ snapshot: true, keys, suspendedMemberIds: ["m1"] });
      yield message({ suspendedMemberIds: ["m2"], reinstatedMemberIds: ["m1"], revokedSessionIds: ["s1"] });
      await untilAborted(signal);
    },
  );
  assert.match(watch.unready() ?? "", /not known/);
  await watch.start!();
  assert.equal(watch.unready(), undefined);
  await until("m2 suspended", () => watch.isSuspended("m2") || undefined);
  assert.deepEqual([watch.isSuspended("m1"), watch.isSuspended("m9"), watch.isRevoked("s1")], [false, false, true]);
  assert.deepEqual([...watch.keys().keys()], ["k1"]);
  await watch.stop!();
  assert.equal(opened(), 3);
});

test("a lost stream leaves the last state; the next snapshot replaces it", async () => {
  const { watch } = setUp(
    async function* () {
      yield message({ snapshot: true, keys, suspendedMemberIds: ["m1"] });
    },
    async function* (signal) {
      yield message({ snapshot: true, keys, suspendedMemberIds: ["m2"] });
      await untilAborted(signal);
    },
  );
  await watch.start!();
  assert.equal(watch.isSuspended("m1"), true);
  await until("m2 suspended", () => watch.isSuspended("m2") || undefined);
  assert.equal(watch.isSuspended("m1"), false);
  await watch.stop!();
});

test("a snapshot of several messages holds when the last has come, and lets nobody in between them", async () => {
  const fullOf = (prefix: string) => Array.from({ length: MAX_LISTED }, (_, index) => `${prefix}${index}`);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { watch } = setUp(
    async function* () {
      yield message({ snapshot: true, keys, suspendedMemberIds: fullOf("a") });
      await first.promise;
      yield message({ suspendedMemberIds: ["late", "gone"], revokedSessionIds: ["s1"] });
    },
    async function* (signal) {
      yield message({ snapshot: true, keys, suspendedMemberIds: fullOf("b") });
      await second.promise;
      yield message({ suspendedMemberIds: ["late"] });
      await untilAborted(signal);
    },
  );
  const told = () => [watch.isSuspended("late"), watch.isSuspended("gone"), watch.isRevoked("s1")];
  const started = watch.start!();
  await until("the first list", () => watch.isSuspended("a0") || undefined);
  assert.match(watch.unready() ?? "", /not known/);
  first.resolve();
  await started;
  await until("the second list", () => watch.isSuspended("b0") || undefined);
  assert.deepEqual(told(), [true, true, true]);
  second.resolve();
  await until("the second snapshot", () => !watch.isSuspended("gone") || undefined);
  assert.deepEqual(told(), [true, false, false]);
  assert.deepEqual([watch.isSuspended("a0"), watch.isSuspended("b0")], [false, true]);
  await watch.stop!();
});

test("while the authority is away the last state holds, and stopping does not wait for it", async () => {
  const { watch, opened } = setUp(async function* () {
    yield message({ snapshot: true, keys, suspendedMemberIds: ["m1"] });
  });
  await watch.start!();
  await until("three tries", () => opened() > 3 || undefined);
  assert.equal(watch.isSuspended("m1"), true);
  assert.equal(watch.unready(), undefined);
  await watch.stop!();
});
