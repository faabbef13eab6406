import assert from "node:assert/strict";
import { test } from "node:test";
import { findOffset, PORTS } from "./platform.ts";

test("platforms that look for their ports at the same time have none in common", async () => {
  const offsets = await Promise.all(Array.from({ length: 40 }, () => findOffset()));
  const ports = offsets.flatMap((offset) => PORTS.map((port) => port + offset));
  assert.equal(new Set(ports).size, ports.length);
  assert.ok(Math.max(...ports) < 32_768, "above are the ports that Linux hands out by itself");
});
