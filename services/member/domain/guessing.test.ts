import assert from "node:assert/strict";
import { test } from "node:test";
import { GUESS_LIMITS, networkOf, refuseGuess } from "./guessing.ts";

test("an address stands for its network: IPv4 for itself, IPv6 for 64 bits, in every spelling", () => {
  const cases: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::6", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::", "fe80:0:0:0::/64"],
    ["", ""],
    ["unknown", "unknown"],
  ];
  for (const [address, network] of cases) assert.equal(networkOf(address), network, address);
});

test("the longest wait of the windows that are full holds; those that are over do not count", () => {
  const now = new Date(1_000_000);
  const window = (count: number, inMs: number) => ({ count, endsAt: new Date(now.getTime() + inMs) });
  const none = { pair: undefined, subject: undefined, address: undefined };
  const { perSubjectAndAddress: pair, perSubject, perAddress } = GUESS_LIMITS;
  assert.equal(refuseGuess(none, now), undefined);
  assert.equal(refuseGuess({ ...none, pair: window(pair, 5) }, now), undefined);
  assert.equal(refuseGuess({ ...none, pair: window(pair + 1, 5) }, now), 5);
  assert.equal(refuseGuess({ ...none, pair: window(pair + 1, 0) }, now), undefined);
  assert.equal(refuseGuess({ ...none, subject: window(perSubject + 1, 7), pair: window(pair + 1, 5) }, now), 7);
  assert.equal(refuseGuess({ ...none, address: window(perAddress - 1, 9) }, now), undefined);
  assert.equal(refuseGuess({ ...none, address: window(perAddress, 9) }, now), 9);
});
