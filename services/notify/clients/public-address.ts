import { BlockList, isIP } from "node:net";

/** Ranges that are no address of a host on the internet (IANA's special-purpose registries, RFC 6890). */
const BLOCKED: readonly [address: string, prefix: number, family: "ipv4" | "ipv6"][] = [
  ["0.0.0.0", 8, "ipv4"],
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"], // Carriers' own.
  ["127.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"], // Link-local: the metadata of clouds is here.
  ["172.16.0.0", 12, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["192.0.2.0", 24, "ipv4"],
  ["192.88.99.0", 24, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"],
  ["198.51.100.0", 24, "ipv4"],
  ["203.0.113.0", 24, "ipv4"],
  ["224.0.0.0", 4, "ipv4"],
  ["240.0.0.0", 4, "ipv4"],
  ["2001::", 23, "ipv6"], // Protocols, Teredo among them.
  ["2001:db8::", 32, "ipv6"],
  ["2002::", 16, "ipv6"], // 6to4: holds any IPv4 address.
  ["3fff::", 20, "ipv6"],
];

const blocked = new BlockList();
for (const [address, prefix, family] of BLOCKED) blocked.addSubnet(address, prefix, family);
/** All unicast of the internet; what lies outside is loopback, local, mapped or multicast. */
const unicast = new BlockList();
unicast.addSubnet("2000::", 3, "ipv6");

/** Whether an address is one that the internet can reach; undefined when the text is no address. */
export function isPublicAddress(text: string): boolean | undefined {
  switch (isIP(text)) {
    case 4:
      return !blocked.check(text, "ipv4");
    case 6:
      return unicast.check(text, "ipv6") && !blocked.check(text, "ipv6");
    default:
      return undefined;
  }
}
