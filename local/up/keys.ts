import { createPublicKey, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPair, toJwks } from "@ferry/platform/auth";

/** Keys of the local platform, made once and kept in the data folder, readable by their owner alone. */
export interface Keys {
  fileOf(service: string): string;
  /** JWKS with the public key of each service. */
  trustFile: string;
  /** Encrypts member's signing keys at rest; 32 bytes, base64. */
  memberSecret: string;
  /** Encrypts the secrets of webhooks at rest; 32 bytes, base64. */
  notifySecret: string;
}

function readOrMake(file: string, make: () => string): string {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 });
  return readFileSync(file, "utf8");
}

/** @param given FERRY_MEMBER_KEY_SECRET and FERRY_NOTIFY_KEY_SECRET, when the database is one that another folder's secrets sealed keys in. */
export function prepareKeys(
  dataDirectory: string,
  services: readonly string[],
  given: { member: string | undefined; notify: string | undefined },
): Keys {
  const folder = join(dataDirectory, "keys");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fileOf = (service: string) => join(folder, `${service}.pem`);
  const privateKeys = new Map(
    services.map((service) => [service, readOrMake(fileOf(service), () => generateKeyPair().privateKeyPem)]),
  );
  const trustFile = join(folder, "services.jwks.json");
  const publicKeys = new Map([...privateKeys].map(([service, pem]) => [service, createPublicKey(pem)]));
  writeFileSync(trustFile, JSON.stringify(toJwks(publicKeys), null, 2), { mode: 0o600 });
  const secretOf = (service: "member" | "notify") =>
    given[service] || readOrMake(join(folder, `${service}.secret`), () => randomBytes(32).toString("base64"));
  return { fileOf, trustFile, memberSecret: secretOf("member"), notifySecret: secretOf("notify") };
}
