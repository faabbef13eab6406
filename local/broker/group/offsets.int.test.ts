import assert from "node:assert/strict";
import fs from "node:fs";
import { type TestContext, test } from "node:test";
import { Flusher } from "../log/flusher.ts";
import { makeScratch } from "../testing/scratch.ts";
import { OffsetStore } from "./offsets.ts";

function createOpener(context: TestContext, maxEntries = 100) {
  const directory = makeScratch(context);
  let opened: OffsetStore | undefined;
  context.after(() => opened?.close());
  return () => {
    opened?.close();
    opened = new OffsetStore(directory, new Flusher(1, () => {}), maxEntries);
    return opened;
  };
}

const commit = (topic: string, partition: number, offset: number) => ({ topic, partition, offset, metadata: "m" });

test("what was committed last outlives a restart, and only that is kept in the file", (context) => {
  const open = createOpener(context);
  const store = open();
  for (let offset = 0; offset < 50; offset += 1) store.commit("billing", [commit("orders", 0, offset)]);
  store.commit("billing", [commit("orders", 1, 7)]);
  const again = open();
  assert.deepEqual(again.find("billing", "orders", 0), commit("orders", 0, 49));
  assert.deepEqual(again.all("billing"), [commit("orders", 0, 49), commit("orders", 1, 7)]);
  assert.equal(again.find("billing", "orders", 2), undefined);
  assert.equal(fs.readFileSync(again.file, "utf8").split("\n").length, 3);
});

test("a line that a kill cut short is dropped, and the commits before it stay", (context) => {
  const open = createOpener(context);
  open().commit("billing", [commit("orders", 0, 5)]);
  const { file } = open();
  fs.appendFileSync(file, '["billing","orders",0,9');
  const again = open();
  assert.equal(again.find("billing", "orders", 0)?.offset, 5);
  again.commit("billing", [commit("orders", 0, 6)]);
  assert.equal(open().find("billing", "orders", 0)?.offset, 6);
});

test("groups and topics that are gone stay gone after a restart", (context) => {
  const open = createOpener(context);
  const store = open();
  store.commit("billing", [commit("orders", 0, 5), commit("refunds", 0, 6)]);
  store.commit("audit", [commit("orders", 0, 1)]);
  store.deleteTopic("orders");
  assert.deepEqual(store.groupIds(), ["billing"]);
  store.commit("audit", [commit("refunds", 0, 2)]);
  store.deleteGroup("billing");
  for (const each of [store, open()]) {
    assert.deepEqual(each.groupIds(), ["audit"]);
    assert.deepEqual(each.all("audit"), [commit("refunds", 0, 2)]);
  }
});

test("at the limit of entries known ones still move, and new ones are refused", (context) => {
  const store = createOpener(context, 2)();
  assert.ok(store.commit("billing", [commit("orders", 0, 1), commit("orders", 1, 1)]));
  assert.equal(store.commit("billing", [commit("orders", 2, 1)]), false);
  assert.ok(store.commit("billing", [commit("orders", 0, 2), commit("orders", 1, 2)]));
  assert.equal(store.find("billing", "orders", 1)?.offset, 2);
});
