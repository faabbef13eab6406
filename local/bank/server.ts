import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { openBooks } from "./books.ts";
import { type Faults, NO_FAULTS, readFaults } from "./faults.ts";
import { addBankRoutes, addRecordRoutes, answerErrors, keepSilent, pauseWhileOpen, type Timeouts } from "./routes.ts";

export interface BankOptions {
  /** Where the books lie; made when missing. One bank at a time. */
  directory: string;
  /** 0 takes a free one. */
  port: number;
  /** The port of the control API; 0 (the default) takes a free one. */
  controlPort?: number;
  timeouts?: Partial<Timeouts>;
}

export interface Bank {
  port: number;
  controlPort: number;
  /** Rejects when the books can no longer be written: the process should end. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const DEFAULT_TIMEOUTS: Timeouts = { lateMs: 5_000, silentMs: 60_000 };
const BODY_LIMIT_BYTES = 16 * 1024;

function createServer(): FastifyInstance {
  // Bodies are read field by field and never merged into anything, so that no name in them can do harm.
  const anyName = { onProtoPoisoning: "ignore", onConstructorPoisoning: "ignore" } as const;
  const limits = { bodyLimit: BODY_LIMIT_BYTES, keepAliveTimeout: 30_000 };
  const server = Fastify({ ...limits, ...anyName, forceCloseConnections: true });
  answerErrors(server);
  return server;
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Stops listening and cuts what is open, so that callers see a refused connection, as from a bank that is down. */
function refuse(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Faults hit before a request is looked at, so that they have no effect on the books. */
function addFaults(server: FastifyInstance, current: () => Faults, timeouts: Timeouts): void {
  server.addHook("preHandler", (_request, reply, goOn) => {
    const faults = current();
    if (faults === NO_FAULTS) return goOn();
    if (faults.silence) return keepSilent(reply, timeouts);
    const fails = Math.random() < faults.errorRate;
    const hit = () =>
      fails ? reply.code(503).send({ error: "unavailable", message: "the bank fails on purpose" }) : goOn();
    if (faults.latencyMs > 0) void pauseWhileOpen(reply, faults.latencyMs).then(hit);
    else hit();
  });
}

/**
 * Starts the bank on 127.0.0.1: its API on one port, its control API on another, so that it can be
 * told to take connections again after it was told to refuse them. The books of a bank that was
 * killed are taken up where they ended.
 *
 * @throws when a port is taken, or the books are damaged.
 */
export async function startBank(options: BankOptions): Promise<Bank> {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const books = await openBooks(options.directory);
  let faults = NO_FAULTS;
  const api = createServer();
  const control = createServer();
  api.register(async (scope) => {
    addFaults(scope, () => faults, timeouts);
    addBankRoutes(scope, books, timeouts);
  });
  // Checking the books is no business of the bank's customers: faults do not touch it.
  addRecordRoutes(api, books);
  addRecordRoutes(control, books);
  await api.ready();

  let changes = Promise.resolve();
  async function change(wanted: Faults, apiPort: number): Promise<void> {
    if (wanted.refuseConnections && api.server.listening) await refuse(api.server);
    if (!wanted.refuseConnections && !api.server.listening) await listen(api.server, apiPort);
    const isOff = Object.entries(NO_FAULTS).every(([name, value]) => wanted[name as keyof Faults] === value);
    faults = isOff ? NO_FAULTS : wanted;
  }
  control.get("/control/faults", async () => faults);
  control.put("/control/faults", async (request) => {
    const wanted = readFaults(request.body);
    const changed = changes.then(() => change(wanted, port));
    changes = changed.catch(() => {}); // One change at a time; a failed one is its caller's to know.
    await changed;
    return faults;
  });
  await control.ready();

  const port = await listen(api.server, options.port);
  const controlPort = await listen(control.server, options.controlPort ?? 0);
  return {
    port,
    controlPort,
    failed: books.failed,
    async stop() {
      await changes;
      await Promise.all([refuse(api.server), refuse(control.server)]);
      await Promise.all([api.close(), control.close()]);
      await books.close();
    },
  };
}
