import { PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import { MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { type Database, openDatabase } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import type { Component, Service } from "@ferry/platform/lifecycle";
import { createOutbox, type Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { createBankingService } from "../../services/banking/service.ts";
import { createLedgerService } from "../../services/ledger/service.ts";
import { createPaymentAudit } from "../../services/payment/audit/audit.ts";
import { createPaymentService } from "../../services/payment/service.ts";
import { createTransferAudit } from "../../services/transfer/audit/audit.ts";
import { createTransferService } from "../../services/transfer/service.ts";
import type { Broker } from "./broker.ts";
import type { Calls } from "./calls.ts";
import { type Clockwork, Life } from "./clockwork.ts";
import { STORED, type Stored, type WorldDatabases } from "./cluster.ts";
import type { Faults } from "./faults.ts";

/** How long a saga is tried before it waits for an operator: half of what it is in local mode, so that it comes to that more often. */
const PARK_AFTER_MS = 15_000;
const BANK_TIMEOUT_MS = 2_000;
/** The auditors are part of the platform, but most of what they ask only takes time here. */
const AUDITED_SHARE = 1 / 4;
const CONNECTIONS = 4;
const DOWN_MS: readonly [number, number] = [50, 6_000];
/** Who does not stop by then is killed, as by whoever runs containers. */
const STOP_LIMIT_MS = 10_000;

/** What a service is made from. Whoever checks the simulation itself breaks something here. */
export interface Parts {
  name: Stored;
  database: Database;
  bus: Bus;
  outbox: Outbox & Component;
  logger: Logger;
}

export interface PlatformOptions {
  clockwork: Clockwork;
  faults: Faults;
  broker: Broker;
  calls: Calls;
  databases: WorldDatabases;
  loggerFor(life: Life): Logger;
  /** Breaks a guarantee on purpose. */
  sabotage?(parts: Parts): Parts;
}

interface Instance {
  name: Stored;
  life: Life;
  components: readonly Component[];
  database: Database;
  stopping: boolean;
}

/** The services of a world: each in one or two instances, that crash, stop and come back. */
export class Platform {
  readonly #options: PlatformOptions;
  readonly #instances = new Map<Life, Instance>();
  /** Whether the auditors work in this world. */
  readonly audited: boolean;
  #born = 0;
  #comingBack = 0;

  constructor(options: PlatformOptions) {
    this.#options = options;
    this.audited = options.clockwork.chance.hits(AUDITED_SHARE);
    this.#serveMembers();
  }

  /** Whether all instances are up. */
  get whole(): boolean {
    return this.#comingBack === 0;
  }

  isOurs(life: Life): boolean {
    return this.#instances.has(life);
  }

  /** Starts every service, some of them twice. */
  async start(): Promise<void> {
    const { chance } = this.#options.clockwork;
    for (const name of STORED) for (let count = chance.whole(1, 2); count > 0; count--) await this.#boot(name);
  }

  /** What may happen to a component after anything that it did. */
  disturb(life: Life): void {
    const { clockwork, faults } = this.#options;
    const instance = this.#instances.get(life);
    if (instance === undefined) return;
    if (faults.bites("crash", life))
      clockwork.after(0, `crash of ${life.name}`, () => this.#crash(instance), { life: clockwork.world });
    else if (faults.bites("orderly stop", life))
      clockwork.after(0, `stop of ${life.name}`, () => this.#stop(instance), { life: clockwork.world });
  }

  /** Ends everything, at once. */
  async end(): Promise<void> {
    for (const { life } of this.#instances.values()) await this.#options.clockwork.kill(life);
  }

  async #boot(name: Stored): Promise<void> {
    const { clockwork, broker, databases, loggerFor, sabotage, calls } = this.#options;
    const life = new Life(`${name}#${++this.#born}`);
    const logger = loggerFor(life);
    await clockwork.within(life, async () => {
      const database = openDatabase({
        url: databases.url(name),
        maxConnections: CONNECTIONS,
        transactionTimeoutMs: 0,
        name,
      });
      const bus = broker.busFor(life, logger);
      const outbox = createOutbox({ database, bus, source: `ferry/${name}`, logger });
      const parts: Parts = { name, database, bus, outbox, logger };
      const used = sabotage?.(parts) ?? parts;
      const service = this.#create(used);
      const { auditor } = (this.audited ? service.audit : undefined) ?? {};
      const audit = auditor === undefined ? [] : [auditor];
      const instance = {
        name,
        life,
        components: [used.outbox, calls.component(life), ...service.components, ...audit],
        database,
        stopping: false,
      };
      this.#instances.set(life, instance);
      calls.serve(name, life, (router) => {
        service.routes(router);
        service.audit?.routes(router);
      });
      void this.#startUp(instance);
    });
  }

  async #startUp(instance: Instance): Promise<void> {
    try {
      for (const component of instance.components) await component.start?.();
    } catch (error) {
      const { clockwork } = this.#options;
      clockwork.note(`did not start: ${error}`);
      clockwork.after(0, `end of ${instance.life.name}`, () => this.#crash(instance), { life: clockwork.world });
    }
  }

  #create(parts: Parts): Service {
    const { calls } = this.#options;
    const caller = { kind: "service" as const, id: parts.name };
    const members = calls.client(MemberService, "member", caller);
    const ledger = calls.client(LedgerService, "ledger", caller);
    const config = { parkAfterMs: PARK_AFTER_MS };
    const postings = calls.client(PostingService, "ledger", caller);
    const payments = calls.client(PaymentRecordService, "banking", caller);
    const audited = { ...parts, ...config, ledger, postings, payments };
    switch (parts.name) {
      case "transfer":
        return {
          ...createTransferService({ ...parts, config, members, ledger }),
          audit: createTransferAudit(audited),
        };
      case "payment":
        return { ...createPaymentService({ ...parts, config, members, ledger }), audit: createPaymentAudit(audited) };
      case "banking": {
        const bank = {
          bankUrl: "http://bank.simulated",
          bankCode: "081",
          bankTimeoutMs: BANK_TIMEOUT_MS,
          bankConnections: 16,
        };
        return createBankingService({ ...parts, config: bank });
      }
      case "ledger":
        return createLedgerService(parts);
      default:
        return parts.name satisfies never;
    }
  }

  /** Everybody is a member in good standing: the services ask, and are told. */
  #serveMembers(): void {
    const { calls } = this.#options;
    calls.serve("member", new Life("member"), (router) =>
      router.service(MemberService, {
        batchGetMemberStates: ({ memberIds }) => ({
          states: Object.fromEntries(memberIds.map((id) => [id, MemberState.ACTIVE])),
        }),
      }),
    );
  }

  async #crash({ life, name }: Instance): Promise<void> {
    if (!life.alive) return;
    await this.#options.clockwork.kill(life);
    this.#instances.delete(life);
    this.#comeBackLater(name);
  }

  #comeBackLater(name: Stored): void {
    const { clockwork } = this.#options;
    this.#comingBack++;
    clockwork.after(
      clockwork.chance.between(...DOWN_MS),
      `start of ${name}`,
      async () => {
        await this.#boot(name);
        this.#comingBack--;
      },
      { life: clockwork.world },
    );
  }

  /** Stops it as SIGTERM does: its parts from the last to the first. */
  #stop(instance: Instance): void {
    if (instance.stopping) return;
    instance.stopping = true;
    const { clockwork } = this.#options;
    const { life, components, database } = instance;
    const over = () =>
      clockwork.after(0, `end of ${life.name}`, () => this.#crash(instance), { life: clockwork.world });
    void clockwork.within(life, async () => {
      for (const component of components.toReversed()) await component.stop?.();
      await database.close();
      over();
    });
    clockwork.after(STOP_LIMIT_MS, `patience with ${life.name} is over`, () => this.#crash(instance), {
      life: clockwork.world,
    });
  }
}
