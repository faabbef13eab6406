import assert from "node:assert/strict";
import { test } from "node:test";
import { isPublicAddress } from "./public-address.ts";

const PRIVATE = [
  ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"],
  ...["172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "203.0.113.5", "224.0.0.1", "255.255.255.255"],
  ...["::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "fc00::1", "fd12::1"],
  ...["fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::"],
];

test("addresses that the internet cannot reach are told", () => {
  for (const address of PRIVATE) assert.equal(isPublicAddress(address), false, address);
  for (const address of ["8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "2606:4700:4700::1111"])
    assert.equal(isPublicAddress(address), true, address);
  for (const name of ["example.com", "localhost", "127.1", "0x7f000001", "2130706433", ""])
    assert.equal(isPublicAddress(name), undefined, name);
});
