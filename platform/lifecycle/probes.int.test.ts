import assert from "node:assert/strict";
import { test } from "node:test";
import { startProbes } from "./probes.ts";

const build = { service: "test", version: "1", commit: "c", buildTime: "2026-01-02T03:04:05Z" };

test("a part that fails to say how it is fails its probe, and nothing else", async (context) => {
  let fails = true;
  const probes = await startProbes({
    ...{ port: 0, host: "127.0.0.1", build },
    unready() {
      if (fails) throw new Error("no idea");
      return [];
    },
  });
  context.after(() => probes.close());
  const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${probes.port}${path}`)).status;
  assert.deepEqual([await statusOf("/readyz"), await statusOf("/livez")], [500, 200]);
  fails = false;
  assert.deepEqual([await statusOf("/readyz"), await statusOf("/nowhere")], [200, 404]);
});
