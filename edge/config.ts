import { isIP } from "node:net";
import {
  type Environment,
  loadConfig,
  modeOf,
  portVariable,
  urlVariable,
  type Variable,
  wholeNumber,
} from "@ferry/platform/config";
import { identityVariables } from "@ferry/platform/lifecycle";
import { buildVariables } from "@ferry/platform/telemetry";
import { z } from "zod";
import { DOORS, type Door } from "./doors/handlers.ts";

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

/** Names that the framework has for networks of a site's own. */
const NAMED_NETWORKS = ["loopback", "linklocal", "uniquelocal"];

/** Whether a text is an address, or a network as "10.0.0.0/8". */
function isNetwork(text: string): boolean {
  if (NAMED_NETWORKS.includes(text)) return true;
  const [address = "", length, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return length === undefined || (/^[1-9]\d{0,2}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128));
}

/** Limits that protect a platform in production and would only be in the way on one's own machine, where 0 means none. */
const rate = (env: string, inProduction: number, what: string): Variable<number> => ({
  env,
  schema: wholeNumber(0, 1_000_000_000),
  fallback: (all) => (modeOf(all) === "production" ? String(inProduction) : "0"),
  help: `${what} a minute, for each member and each address without a log-in; 0: no limit (the default in local mode)`,
});

const limit = (env: string, fallback: number, min: number, max: number, help: string): Variable<number> => ({
  env,
  schema: wholeNumber(min, max),
  fallback: String(fallback),
  help,
});

export const edgeVariables = {
  port: portVariable("FERRY_EDGE_PORT", 8080, "HTTP port of the edge; the process's own probes are 1,000 above"),
  host: { env: "FERRY_HOST", schema: z.string(), fallback: "127.0.0.1", help: "address that servers listen on" },
  memberUrl: urlVariable("FERRY_MEMBER_URL", 9101, "where the member service is"),
  ledgerUrl: urlVariable("FERRY_LEDGER_URL", 9102, "where the ledger service is"),
  bankingUrl: urlVariable(
    "FERRY_BANKING_URL",
    9103,
    "where the banking service is: for /version and /readyz, it has no routes",
  ),
  transferUrl: urlVariable("FERRY_TRANSFER_URL", 9104, "where the transfer service is"),
  paymentUrl: urlVariable("FERRY_PAYMENT_URL", 9105, "where the payment service is"),
  notifyUrl: urlVariable("FERRY_NOTIFY_URL", 9107, "where the notify service is"),
  corsOrigins: {
    env: "FERRY_CORS_ORIGINS",
    schema: list.refine(
      (origins) => origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin),
      "must be origins like https://app.example, separated by commas",
    ),
    fallback: "",
    help: "origins whose pages may call, separated by commas; none by default",
  },
  trustedProxies: {
    env: "FERRY_TRUSTED_PROXIES",
    schema: list.refine(
      (proxies) => proxies.every(isNetwork),
      "must be addresses, or networks like 10.0.0.0/8, separated by commas",
    ),
    fallback: "",
    help: "addresses or networks of proxies whose X-Forwarded-For is believed; none by default",
  },
  doors: {
    env: "FERRY_EDGE_DOORS",
    schema: list.refine(
      (doors): doors is Door[] => doors.every((door) => (DOORS as readonly string[]).includes(door)),
      `must be of ${DOORS.join(", ")}, separated by commas`,
    ),
    fallback: "",
    help: `protocols that are spoken beside REST on the same port: ${DOORS.join(", ")}, separated by commas; none by default`,
  },
  docs: {
    env: "FERRY_EDGE_DOCS",
    schema: z.enum(["on", "off"]),
    fallback: "on",
    help: "whether the OpenAPI document (/openapi.json) and the page over it (/docs) are served: on or off",
  },
  rateRead: rate("FERRY_RATE_READ", 600, "reads"),
  rateWrite: rate("FERRY_RATE_WRITE", 120, "writes"),
  rateLogin: rate("FERRY_RATE_LOGIN", 10, "log-ins and sign-ups"),
  rateAddress: {
    ...rate("FERRY_RATE_ADDRESS", 6_000, "requests of any kind"),
    help: "requests of any kind a minute, for each address, whoever is logged in there; 0: no limit (the default in local mode)",
  },
  rateStoreUrl: {
    env: "FERRY_RATE_STORE_URL",
    schema: z.union([z.literal(""), z.url({ protocol: /^postgres(?:ql)?$/ })], {
      error: "must be an address like postgres://user@host:5432/name, or empty",
    }),
    fallback: "",
    help: "a PostgreSQL database in which several edges share the rate limits; without one, each counts by itself",
    secret: true,
  },
  rateStoreTimeoutMs: limit(
    "FERRY_RATE_STORE_TIMEOUT_MS",
    250,
    10,
    10_000,
    "time that a request waits for the database of FERRY_RATE_STORE_URL; then its edge counts by itself",
  ),
  maxBodyBytes: limit("FERRY_MAX_BODY_BYTES", 65_536, 1_024, 4_194_304, "largest body of a request"),
  maxInFlight: limit(
    "FERRY_MAX_IN_FLIGHT",
    2_048,
    1,
    100_000,
    "requests at once, those that wait for a transfer's end included; more are answered OVERLOADED (503) at once: about two seconds of what the platform can carry",
  ),
  maxStreams: limit(
    "FERRY_MAX_STREAMS",
    512,
    1,
    100_000,
    "streams of events open at once; each is one of the requests at once",
  ),
  maxStreamsEach: limit("FERRY_MAX_STREAMS_EACH", 16, 1, 10_000, "streams of events of one member open at once"),
  maxConnections: limit("FERRY_MAX_CONNECTIONS", 16_384, 1, 100_000, "connections at once; more are closed"),
  maxConnectionsEach: {
    env: "FERRY_MAX_CONNECTIONS_EACH",
    schema: wholeNumber(0, 100_000),
    fallback: (all) => (modeOf(all) === "production" && (all.FERRY_TRUSTED_PROXIES ?? "") === "" ? "2048" : "0"),
    help: "connections of one address at once; 0: no limit (the default in local mode, and behind trusted proxies)",
  },
  requestTimeoutMs: limit("FERRY_REQUEST_TIMEOUT_MS", 15_000, 100, 300_000, "time for a request to arrive"),
  answerStallMs: limit(
    "FERRY_ANSWER_STALL_MS",
    30_000,
    100,
    600_000,
    "time without progress after which a client that does not read its answer is cut",
  ),
  maxLoopLagMs: limit(
    "FERRY_MAX_LOOP_LAG_MS",
    500,
    0,
    60_000,
    "lag of the event loop from which on requests are answered OVERLOADED (503); 0: no limit",
  ),
  ...identityVariables,
  ...buildVariables,
} satisfies Record<string, Variable<unknown>>;

/** Limits of the REST door; defaults and meaning in the README. */
export interface EdgeLimits {
  rateRead: number;
  rateWrite: number;
  rateLogin: number;
  /** Requests of any kind, by address. */
  rateAddress: number;
  rateStoreTimeoutMs: number;
  maxBodyBytes: number;
  maxInFlight: number;
  maxStreams: number;
  maxStreamsEach: number;
  maxConnections: number;
  maxConnectionsEach: number;
  requestTimeoutMs: number;
  answerStallMs: number;
  maxLoopLagMs: number;
}

export type EdgeConfig = ReturnType<typeof readEdgeConfig>;

/** @throws ConfigError that names every bad variable. */
export function readEdgeConfig(environment: Environment = process.env) {
  return loadConfig(edgeVariables, environment);
}
