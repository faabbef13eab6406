import assert from "node:assert/strict";
import { test } from "node:test";
import { FIRST_FREE_PORT, freePort } from "./free-port.ts";
import { findOffset, PORTS } from "./platform.ts";

test("platforms that look for their ports at the same time have none in common", async () => {
  const offsets = await Promise.all(Array.from({ length: 40 }, () => findOffset()));
  const ports = offsets.flatMap((offset) => PORTS.map((port) => port + offset));
  assert.equal(new Set(ports).size, ports.length);
  assert.ok(Math.max(...ports) < FIRST_FREE_PORT, "above are those of whoever looks for one alone");
});

test("ports that are looked for one by one, at the same time, are all different, and the system gives none of them away", async () => {
  const ports = await Promise.all(Array.from({ length: 60 }, () => freePort()));
  assert.equal(new Set(ports).size, ports.length);
  assert.ok(Math.min(...ports) > FIRST_FREE_PORT && Math.max(...ports) < 32_768, "Linux hands out what is above");
});
