import { readFile } from "node:fs/promises";
import { BlockList, isIP } from "node:net";
import { ConfigError } from "@ferry/platform/config";
import type { ServiceConfig } from "./service-config.ts";

/** Certificate, key and authority as PEM text: both sides of a connection prove who they are. */
export interface MutualTls {
  certPem: string;
  keyPem: string;
  caPem: string;
}

const FILES = {
  tlsCertFile: "FERRY_TLS_CERT_FILE",
  tlsKeyFile: "FERRY_TLS_KEY_FILE",
  tlsCaFile: "FERRY_TLS_CA_FILE",
} as const;
type TlsFiles = Pick<ServiceConfig, keyof typeof FILES>;

/**
 * Reads the TLS files that the configuration names; undefined when it names none, which only local mode allows.
 *
 * @throws ConfigError when some are named and others not: a side that cannot prove itself, or does not ask the other
 *   to, is no mutual TLS.
 */
export async function readTls(config: TlsFiles): Promise<MutualTls | undefined> {
  const names = Object.keys(FILES) as (keyof typeof FILES)[];
  const missing = names.filter((name) => config[name] === "");
  if (missing.length === names.length) return undefined;
  if (missing.length > 0)
    throw new ConfigError(missing.map((name) => `${FILES[name]} is missing: internal TLS needs all three files`));
  const [certPem = "", keyPem = "", caPem = ""] = await Promise.all(
    names.map((name) => readPem(FILES[name], config[name])),
  );
  return { certPem, keyPem, caPem };
}

/** @throws ConfigError that names the variable and its file when that cannot be read. */
export async function readPem(variable: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ConfigError([`${variable} is ${JSON.stringify(file)}: cannot be read (${String(cause)})`]);
  }
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether a host, a name or an address, is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  const version = isIP(name);
  // Names below localhost are loopback as well (RFC 6761, 6.3).
  if (version === 0) return name === "localhost" || name.endsWith(".localhost");
  return loopback.check(name, version === 4 ? "ipv4" : "ipv6");
}

const HELP = "give FERRY_TLS_CERT_FILE, FERRY_TLS_KEY_FILE and FERRY_TLS_CA_FILE, or stay on loopback";

/** @throws ConfigError when calls to an address would go in plaintext beyond this machine. */
export function demandPrivateUrl(what: string, url: string, tls: MutualTls | undefined): void {
  const { protocol, hostname } = new URL(/^https?:/.test(url) ? url : `http://${url}`);
  if (tls !== undefined || protocol === "https:" || isLoopback(hostname)) return;
  throw new ConfigError([`${what} is at ${hostname}, and would be called in plaintext: ${HELP}`]);
}

/** @throws ConfigError when a server of internal calls would listen in plaintext beyond this machine. */
export function demandPrivateHost(host: string, tls: MutualTls | undefined): void {
  if (tls !== undefined || isLoopback(host)) return;
  throw new ConfigError([`FERRY_HOST is ${host}, and internal calls would come in plaintext: ${HELP}`]);
}
