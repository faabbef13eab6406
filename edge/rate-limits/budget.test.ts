import assert from "node:assert/strict";
import { test } from "node:test";
import { createBudget, MAX_CALLERS, WINDOW_MS } from "./budget.ts";
import { networkOf } from "./network.ts";

test("a caller has its limit in a window that begins with its first request", () => {
  const budget = createBudget("read", 3);
  const at = (nowMs: number, caller = "a") => budget.spend(caller, nowMs);
  assert.deepEqual(at(1_000), { allowed: true, remaining: 2, resetMs: WINDOW_MS });
  assert.deepEqual(at(2_000), { allowed: true, remaining: 1, resetMs: WINDOW_MS - 1_000 });
  assert.deepEqual(at(2_000), { allowed: true, remaining: 0, resetMs: WINDOW_MS - 1_000 });
  assert.deepEqual(at(1_000 + WINDOW_MS - 1), { allowed: false, remaining: 0, resetMs: 1 });
  assert.deepEqual(at(1_000 + WINDOW_MS), { allowed: true, remaining: 2, resetMs: WINDOW_MS });
  assert.deepEqual(at(2_000, "b"), { allowed: true, remaining: 2, resetMs: WINDOW_MS });
});

test("so many callers are counted, and the oldest window is forgotten first", () => {
  const budget = createBudget("read", 1);
  for (let caller = 0; caller < MAX_CALLERS; caller++) budget.spend(String(caller), caller);
  assert.equal((budget.spend("0", 30_000) as { allowed: boolean }).allowed, false);
  budget.spend("one more", 30_000);
  assert.equal((budget.spend("1", 30_000) as { allowed: boolean }).allowed, false);
  assert.equal((budget.spend("0", 30_000) as { allowed: boolean }).allowed, true);
});

test("an address of IPv6 stands for its network of 64 bits", () => {
  const cases: [address: string, network: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:0DB8:0000:0000:ffff::9", "2001:db8:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", ""],
  ];
  for (const [address, network] of cases) assert.equal(networkOf(address), network);
});
