import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Environment, loadConfig, shifted, wholeNumber } from "@ferry/platform/config";
import { serviceVariables } from "@ferry/platform/lifecycle";
import { z } from "zod";

const DAY_MS = 24 * 60 * 60 * 1_000;
const SECRET_BYTES = 32;

const shared = serviceVariables("member", 9101);

export const memberVariables = {
  ...shared,
  // Member is the authority itself and asks nobody.
  authorityUrl: { ...shared.authorityUrl, fallback: "http://127.0.0.1:9101" },
  keySecret: {
    env: "FERRY_MEMBER_KEY_SECRET",
    schema: z
      .string()
      .regex(/^[A-Za-z0-9+/]{43}=$/, `must be ${SECRET_BYTES} bytes in base64`)
      .transform((text) => Buffer.from(text, "base64"))
      .refine((secret) => new Set(secret).size > 8, "must be random bytes"),
    help: "secret that signing keys are sealed under: openssl rand -base64 32",
    secret: true,
  },
  rotateAfterMs: {
    env: "FERRY_MEMBER_KEY_ROTATION_DAYS",
    schema: wholeNumber(1, 3_650).transform((days) => days * DAY_MS),
    fallback: "30",
    help: "age at which a signing key gets a successor, in days",
  },
};

export type MemberConfig = ReturnType<typeof readConfig>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(memberVariables, environment);
}

/**
 * Member's database of the platform that runs on this machine, for commands that a person types: the launcher keeps
 * the role's password in the data folder, where only its owner may read it.
 */
function localDatabaseUrl(env: Environment): string {
  let password = "";
  try {
    password = readFileSync(join(env.FERRY_DATA_DIR || ".ferry", "postgres", "password"), "utf8").trim();
  } catch {
    // Not started here yet, or another's: PostgreSQL then says what is missing.
  }
  return `postgres://ferry:${password}@127.0.0.1:${shifted(5433)(env)}/ferry_member`;
}

const commandDatabaseUrl = { ...shared.databaseUrl, localFallback: localDatabaseUrl };

/** What a command on the server needs that works on the database alone. @throws ConfigError. */
export function readDatabaseConfig(environment: Environment = process.env) {
  return loadConfig({ databaseUrl: commandDatabaseUrl }, environment);
}

/** What a command needs that makes keys. @throws ConfigError. */
export function readKeyConfig(environment: Environment = process.env) {
  const { keySecret, rotateAfterMs } = memberVariables;
  return loadConfig({ databaseUrl: commandDatabaseUrl, keySecret, rotateAfterMs }, environment);
}
