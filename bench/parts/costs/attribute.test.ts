import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { attribute, type CpuProfile, pathOf, scale } from "./attribute.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const file = (path: string) => pathToFileURL(join(ROOT, path)).href;

/** A profile of stacks, each from the outermost frame in, and how long it was seen, in microseconds. */
function profileOf(stacks: [frames: (string | { name: string })[], us: number][]): CpuProfile {
  const nodes: { id: number; callFrame: { functionName: string; url: string }; children: number[] }[] = [];
  const add = (functionName: string, url: string, parent?: number) => {
    const id = nodes.length + 1;
    nodes.push({ id, callFrame: { functionName, url }, children: [] });
    if (parent !== undefined) nodes[parent - 1]!.children.push(id);
    return id;
  };
  const root = add("(root)", "");
  const samples: number[] = [];
  const timeDeltas = [0];
  for (const [frames, us] of stacks) {
    let at = root;
    for (const frame of frames) at = typeof frame === "string" ? add("f", frame, at) : add(frame.name, "", at);
    samples.push(at);
    timeDeltas.push(us);
  }
  return { nodes, samples: [...samples, root], timeDeltas };
}

const shareOf = (frames: (string | { name: string })[], process = "transfer") =>
  Object.keys(attribute(profileOf([[frames, 500]]), process));

test("a sample counts for the nearest frame of something known, whatever Node does inside of it", () => {
  const pool = file("node_modules/pg-pool/index.js");
  const socket = "node:net";
  assert.deepEqual(shareOf([file("services/ledger/app/carry-out.ts"), pool, socket, { name: "writev" }]), ["sql"]);
  assert.deepEqual(shareOf([pool, file("services/ledger/app/carry-out.ts")]), ["domain"]);
  assert.deepEqual(shareOf([file("services/ledger/app/x.ts"), file("services/ledger/store/y.ts")]), ["sql"]);
  assert.deepEqual(shareOf([file("edge/rest.ts"), file("platform/auth/verify.ts"), "node:internal/crypto/sig"]), [
    "jwt",
  ]);
});

test("what both sides of grpc-js use counts for the side that called it", () => {
  const metadata = file("node_modules/@grpc/grpc-js/build/src/metadata.js");
  const at = (name: string) => file(`node_modules/@grpc/grpc-js/build/src/${name}.js`);
  assert.deepEqual(shareOf([at("server-interceptors"), metadata]), ["grpc-server"]);
  assert.deepEqual(shareOf([at("subchannel-call"), metadata]), ["grpc-client"]);
  assert.deepEqual(shareOf([file("platform/rpc/client/caller.ts"), file("platform/rpc/metadata.ts")]), ["grpc-client"]);
  assert.deepEqual(shareOf([file("platform/rpc/server/engine.ts"), file("platform/rpc/metadata.ts")]), ["grpc-server"]);
});

test("what Node does for nobody counts by its module: HTTP/2 for the side that the process is on", () => {
  const callback = ["node:internal/async_hooks", "node:internal/http2/core", "node:internal/stream_base_commons"];
  assert.deepEqual(shareOf(callback, "edge"), ["grpc-client"]);
  assert.deepEqual(shareOf(callback, "ledger"), ["grpc-server"]);
  assert.deepEqual(shareOf(["node:_http_server", "node:net"]), ["http"]);
  assert.deepEqual(shareOf(["node:internal/timers"]), ["io"]);
  assert.deepEqual(shareOf([{ name: "(garbage collector)" }]), ["gc"]);
  assert.deepEqual(shareOf([{ name: "(program)" }]), ["io"]);
});

test("shares are of the time that the process was busy, and scaled they add up to what it used", () => {
  const shares = attribute(
    profileOf([
      [[file("node_modules/kafkajs/src/index.js")], 300],
      [[{ name: "(idle)" }], 5_000],
      [[file("node_modules/pg/lib/client.js")], 100],
      [[file("node_modules/kafkajs/src/index.js")], 600],
    ]),
    "ledger",
  );
  assert.deepEqual(shares, { kafka: 0.9, sql: 0.1 });
  assert.deepEqual(scale(shares, 50), { kafka: 45, sql: 5 });
  assert.deepEqual(attribute(profileOf([[[{ name: "(idle)" }], 100]]), "ledger"), {});
});

test("a path is that from the repository, wherever the packages lie", () => {
  assert.equal(pathOf(file("edge/rest.ts")), "edge/rest.ts");
  assert.equal(pathOf("file:///elsewhere/node_modules/pg/lib/client.js"), "node_modules/pg/lib/client.js");
  assert.equal(pathOf("node:net"), "node:net");
  assert.equal(pathOf("wasm://wasm/1"), "");
});
