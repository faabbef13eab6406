import { address, type Environment, loadConfig, type Variable } from "@ferry/platform/config";
import { serviceVariables } from "@ferry/platform/lifecycle";
import { z } from "zod";

const database = address("postgres", "postgresql");

/** The ledger's own: whether, and how, it lies in several databases. */
export const ledgerVariables = {
  ...serviceVariables("ledger", 9102),
  shards: {
    env: "LEDGER_SHARDS",
    schema: z
      .string()
      .transform((text) => text.split(",").filter((url) => url !== ""))
      .pipe(z.array(database).max(64)),
    fallback: "",
    help: "databases that the accounts are spread over, separated by commas; empty: all in DATABASE_URL. The order is fixed, new ones come last",
    secret: true,
  },
  crossShard: {
    env: "LEDGER_CROSS_SHARD",
    schema: z.enum(["two-phase", "clearing"]),
    fallback: "clearing",
    help: "how postings between two databases are made: two-phase (one transaction over both) or clearing (transit accounts and a hand-over)",
  },
  sharedCluster: {
    env: "LEDGER_SHARED_CLUSTER",
    schema: z.enum(["allow", "refuse"]),
    fallback: (env) => (env.FERRY_ENV === "production" ? "refuse" : "allow"),
    help: "allow or refuse: whether two-phase shards may lie on the PostgreSQL server of DATABASE_URL, whose other databases' outboxes a prepared transaction holds up",
  },
} satisfies Record<string, Variable<unknown>>;

/** @throws ConfigError that names every missing or malformed variable. */
export function readConfig(environment: Environment = process.env) {
  return loadConfig(ledgerVariables, environment);
}
