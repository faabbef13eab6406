import { randomBytes } from "node:crypto";
import { ConfigError, type Environment, type Variable } from "@ferry/platform/config";
import { edgeVariables, readEdgeConfig } from "../../../edge/config.ts";
import { bankingVariables, readConfig as readBanking } from "../../../services/banking/config.ts";
import { ledgerVariables, readConfig as readLedger } from "../../../services/ledger/config.ts";
import { memberVariables, readConfig as readMember } from "../../../services/member/config.ts";
import { notifyVariables, readConfig as readNotify } from "../../../services/notify/config.ts";
import { paymentVariables, readConfig as readPayment } from "../../../services/payment/config.ts";
import { readConfig as readTransfer, transferVariables } from "../../../services/transfer/config.ts";

/** A process of the platform, by what it reads from its environment. */
export interface Process {
  name: string;
  main: string;
  variables: readonly Variable<unknown>[];
  read(environment: Environment): unknown;
}

const processOf = (name: string, main: string, shape: Record<string, Variable<unknown>>, read: Process["read"]) => ({
  ...{ name, main, variables: Object.values(shape), read },
});

export const processes: readonly Process[] = [
  processOf("edge", "edge/main.ts", edgeVariables, readEdgeConfig),
  processOf("member", "services/member/main.ts", memberVariables, readMember),
  processOf("ledger", "services/ledger/main.ts", ledgerVariables, readLedger),
  processOf("banking", "services/banking/main.ts", bankingVariables, readBanking),
  processOf("transfer", "services/transfer/main.ts", transferVariables, readTransfer),
  processOf("payment", "services/payment/main.ts", paymentVariables, readPayment),
  processOf("notify", "services/notify/main.ts", notifyVariables, readNotify),
];

export const PRODUCTION = { FERRY_ENV: "production" };

/** Whether a process of production does not start without a variable. */
export const isRequired = ({ fallback }: Variable<unknown>) => fallback === undefined;

/** What a process of production is given; what it has no use for it does not look at. */
export function goodEnvironment(): Record<string, string> {
  const services = ["MEMBER", "LEDGER", "BANKING", "TRANSFER", "PAYMENT", "NOTIFY"];
  return {
    ...PRODUCTION,
    ...Object.fromEntries(services.map((name) => [`FERRY_${name}_URL`, `https://${name.toLowerCase()}.example`])),
    ...{ FERRY_SERVICE_KEY_FILE: "key.pem", FERRY_SERVICE_TRUST_FILE: "trust.json" },
    ...{ FERRY_TLS_CERT_FILE: "c.pem", FERRY_TLS_KEY_FILE: "k.pem", FERRY_TLS_CA_FILE: "ca.pem" },
    ...{ DATABASE_URL: "postgres://ferry@db/ferry", KAFKA_BROKERS: "kafka:9092", BANK_URL: "https://bank.example" },
    FERRY_MEMBER_KEY_SECRET: randomBytes(32).toString("base64"),
    FERRY_NOTIFY_KEY_SECRET: randomBytes(32).toString("base64"),
  };
}

const ODD = ["hunter2 is no value", "-1", "mysql://hunter2@x"];

/** A text that a variable does not take; undefined for one that takes any. */
export function oddValueOf({ schema }: Variable<unknown>): string | undefined {
  return ODD.find((text) => !schema.safeParse(text).success);
}

/** What a process says of an environment; nothing when it takes it. */
export function problemsOf({ read }: Process, environment: Environment): readonly string[] {
  try {
    read(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
