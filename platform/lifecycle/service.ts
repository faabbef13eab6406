import { readFile } from "node:fs/promises";
import type { ConnectRouter } from "@connectrpc/connect";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import {
  type AuthorityState,
  createAuthenticator,
  createServiceIdentity,
  parseTrustedServices,
  type ServiceIdentity,
  watchAuthority,
} from "@ferry/platform/auth";
import { type Database, type Migrations, migrate, openDatabase } from "@ferry/platform/db";
import { fromUnknown } from "@ferry/platform/errors";
import { type Bus, createKafkaBus } from "@ferry/platform/events";
import { createOutbox, type Outbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel, type RpcChannel } from "@ferry/platform/rpc";
import { buildOf, createLogger, type Logger } from "@ferry/platform/telemetry";
import { readKafkaSecurity } from "./kafka-security.ts";
import { demandPrivateHost, demandPrivateUrl, readTls } from "./private-links.ts";
import { type Component, runProcess } from "./process.ts";
import type { ServiceConfig } from "./service-config.ts";

const PROBE_OFFSET = 1_000;
const RETRY_MS = 500;

/** What a service is made from. Tests hand in the same with parts of their own. */
export interface ServiceParts<Config> {
  config: Config;
  database: Database;
  bus: Bus;
  outbox: Outbox;
  identity: ServiceIdentity;
  logger: Logger;
  /** Opens a channel to another service of the platform, under this service's identity; closed with the process. */
  channelTo(audience: string, url: string): RpcChannel;
}

/** The auditor of a service's own books, with what it needs in the database. */
export interface ServiceAudit {
  /** After the service's own. */
  migrations: readonly Migrations[];
  routes(router: ConnectRouter): void;
  auditor: Component;
}

/** What a service gives back: its rpcs, and its parts in the order in which they start. */
export interface Service {
  routes(router: ConnectRouter): void;
  /** Started after the server listens and before the process is ready: consumers, timers. */
  components: readonly Component[];
  /** Only of the service that issues tokens: it knows at first hand whose are good. */
  authority?: AuthorityState & Component;
  /** Runs beside the service: whoever starts its components by hand has a service without. */
  audit?: ServiceAudit;
}

export interface ServiceOptions<Config extends ServiceConfig> {
  /** As "ledger". */
  name: string;
  config: Config;
  /** The service's own; the outbox's come by themselves. */
  migrations: readonly Migrations[];
  /** Whether it sends messages. Default true; false spares the outbox's tables, its connection and its looks. */
  publishes?: boolean;
  create(parts: ServiceParts<NoInfer<Config>>): Service | Promise<Service>;
}

/** Runs until it succeeds, as long as what fails is a dependency that is away. */
export async function whenAvailable(logger: Logger, what: string, run: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const failure = fromUnknown(error);
      if (!failure.retryable) throw error;
      logger.warn({ what, error: String(failure.cause ?? failure) }, "waiting for a dependency");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/**
 * Runs a service process from its configuration: database (migrated first), bus, outbox, authority,
 * rpc server, then the service's own parts; all stop in reverse order.
 */
export async function runService<Config extends ServiceConfig>(options: ServiceOptions<Config>): Promise<void> {
  const { name, config, publishes = true } = options;
  const migrations = publishes ? [outboxMigrations, ...options.migrations] : options.migrations;
  const logger = createLogger({ service: name, level: config.logLevel });
  const build = buildOf(name, config);
  const tls = await readTls(config);
  demandPrivateHost(config.host, tls);
  const kafkaSecurity = await readKafkaSecurity(config, config.kafkaBrokers);
  const identity = createServiceIdentity({ name, privateKeyPem: await readFile(config.serviceKeyFile, "utf8") });
  const trustedServices = parseTrustedServices(await readFile(config.serviceTrustFile, "utf8"));

  const channels: RpcChannel[] = [];
  const channelTo = (audience: string, url: string): RpcChannel => {
    demandPrivateUrl(audience, url, tls);
    const channel = openChannel({ url, audience, identity, logger, tls });
    channels.push(channel);
    return channel;
  };
  const database = openDatabase({ url: config.databaseUrl, maxConnections: config.databaseConnections, name });
  const bus = createKafkaBus({ brokers: config.kafkaBrokers, clientId: name, logger, ...kafkaSecurity });
  const outbox = createOutbox({ database, bus, source: `ferry/${name}`, logger });

  const service = await options.create({ config, database, bus, outbox, identity, logger, channelTo });
  const authority =
    service.authority ??
    watchAuthority({ client: createRpcClient(AuthorityService, channelTo("member", config.authorityUrl)), logger });
  const authenticator = createAuthenticator({ audience: name, authority, trustedServices });
  const server = createRpcServer({
    service: name,
    port: config.port,
    host: config.host,
    routes(router) {
      service.routes(router);
      service.audit?.routes(router);
    },
    authenticator,
    logger,
    build,
    tls,
  });
  const { migrations: auditMigrations = [], auditor } = service.audit ?? {};
  const store: Component = {
    name: "database",
    start: () =>
      whenAvailable(logger, "database", () => migrate(config.databaseUrl, [...migrations, ...auditMigrations])),
    stop: () => database.close(),
  };
  const outside: Component = {
    name: "channels",
    async stop() {
      for (const channel of channels) channel.close();
      await bus.close();
    },
  };
  // Stopped first: all groups are left side by side, since each takes as long as its broker holds a request.
  const groups: Component = { name: "groups", stop: async () => bus.leaveGroups?.() };
  await runProcess({
    logger,
    build,
    probePort: config.port + PROBE_OFFSET,
    host: config.host,
    components: [
      ...[store, outside, ...(publishes ? [outbox] : []), authority, server],
      ...[...service.components, ...(auditor === undefined ? [] : [auditor]), groups],
    ],
  });
}
