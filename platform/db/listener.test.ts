import assert from "node:assert/strict";
import { test } from "node:test";
import { createListener } from "./listener.ts";
import type { Session } from "./types.ts";

const CHANNEL = "changes";

/** A connection that can be told what a database would tell, or that refuses what it is asked. */
function connectionOf({ refuses = false } = {}) {
  const ended = Promise.withResolvers<void>();
  const hearers: ((channel: string, payload: string) => void)[] = [];
  let isReleased = false;
  const session: Session = {
    query: async <Row>(): Promise<Row[]> => {
      if (refuses) throw new Error("refused");
      return [];
    },
    onNotification: (heard) => void hearers.push(heard),
    ended: ended.promise,
    async release() {
      isReleased = true;
      ended.resolve();
    },
  };
  const notify = (payload: string) => {
    if (!isReleased) for (const heard of hearers) heard(CHANNEL, payload);
  };
  return { session, notify, lose: () => ended.resolve(), isReleased: () => isReleased };
}

/** A listener on these connections, one after the other. */
function listenerOn(...connections: readonly ReturnType<typeof connectionOf>[]) {
  let opened = 0;
  const listener = createListener(async () => {
    const connection = connections[opened++];
    if (connection === undefined) throw new Error("away");
    return connection.session;
  });
  return { listener, opened: () => opened };
}

test("who could not be told that it listens hears nothing, and the connection that refused is released", async () => {
  const [broken, sound] = [connectionOf({ refuses: true }), connectionOf()];
  const { listener } = listenerOn(broken, sound);
  const told: string[] = [];
  await assert.rejects(
    listener.listen(CHANNEL, (payload) => void told.push(`first ${payload}`)),
    /refused/,
  );
  assert.equal(broken.isReleased(), true);
  await listener.listen(CHANNEL, (payload) => void told.push(`second ${payload}`));
  broken.notify("a");
  sound.notify("b");
  assert.deepEqual(told, ["second b"]);
  await listener.close();
  assert.equal(sound.isReleased(), true);
});

test("who listens while a lost connection is to be made again makes it, and no second one is made", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [lost, next, spare] = [connectionOf(), connectionOf(), connectionOf()];
  const { listener, opened } = listenerOn(lost, next, spare);
  const told: string[] = [];
  await listener.listen(CHANNEL, (payload) => void told.push(`one ${payload}`));
  lost.lose();
  await new Promise((resolve) => setImmediate(resolve)); // The loss has been noticed.
  await listener.listen(CHANNEL, (payload) => void told.push(`two ${payload}`));
  context.mock.timers.tick(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(opened(), 2);
  next.notify("a");
  assert.deepEqual(told, ["one a", "two a"]);
  await listener.close();
});

test("a lost connection is made again without being asked, as often as it takes", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [lost, broken, sound] = [connectionOf(), connectionOf({ refuses: true }), connectionOf()];
  const { listener, opened } = listenerOn(lost, broken, sound);
  const told: string[] = [];
  await listener.listen(CHANNEL, (payload) => void told.push(payload));
  lost.lose();
  for (const count of [2, 3]) {
    await new Promise((resolve) => setImmediate(resolve));
    context.mock.timers.tick(10_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(opened(), count);
  }
  sound.notify("a");
  assert.deepEqual(told, ["a"]);
  await listener.close();
});
