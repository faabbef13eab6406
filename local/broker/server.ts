import { randomUUID } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { FetchWaiters } from "./apis/fetch-waiters.ts";
import type { BrokerRoom } from "./apis/room.ts";
import { Connection } from "./connection.ts";
import { Coordinator } from "./group/coordinator.ts";
import { OffsetStore } from "./group/offsets.ts";
import { writeFileAtomically } from "./log/atomic-file.ts";
import { lockDirectory } from "./log/directory-lock.ts";
import { Flusher } from "./log/flusher.ts";
import { ProducerIds } from "./log/producer-ids.ts";
import { TailCache } from "./log/tail-cache.ts";
import { Topics } from "./log/topics.ts";
import { type BrokerOptions, DEFAULT_OPTIONS } from "./options.ts";

export interface StartOptions extends Partial<BrokerOptions> {
  /** Where the log lies; made when it is not there. One broker at a time may use it. */
  readonly directory: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Listened on and told to clients. Default 127.0.0.1. */
  readonly host?: string;
  /** What is worth a line; by default nothing is written. */
  readonly log?: (event: string, fields: Record<string, unknown>) => void;
}

export interface Broker {
  readonly port: number;
  /** Takes no more requests, writes everything through to the disk, and gives the directory free. */
  close(): Promise<void>;
}

/**
 * Starts a broker on a directory and resolves when it listens.
 *
 * @throws Error when the directory is in use or holds what cannot be read, or the port is taken.
 */
export async function startBroker(start: StartOptions): Promise<Broker> {
  const { directory, port, host = "127.0.0.1", log = () => {}, ...changed } = start;
  const options: BrokerOptions = { ...DEFAULT_OPTIONS, ...changed };
  fs.mkdirSync(directory, { recursive: true });
  const unlock = lockDirectory(directory);
  try {
    const flusher = new Flusher(options.flushIntervalMs, log);
    const cache = new TailCache(options.cacheBytes);
    const { maxProducersPerPartition } = options;
    const topics = new Topics(directory, options, options, { cache, flusher, maxProducersPerPartition, log });
    const offsets = new OffsetStore(directory, flusher, options.maxCommittedOffsets);
    const coordinator = new Coordinator(offsets, options);
    const server = net.createServer();
    const room: BrokerRoom = {
      ...options,
      host,
      port: () => (server.address() as net.AddressInfo).port,
      clusterId: readClusterId(directory),
      topics,
      coordinator,
      offsets,
      producerIds: new ProducerIds(directory),
      waiters: new FetchWaiters(),
      log,
    };
    const connections = accept(server, room, options);
    const retention = setInterval(() => topics.retain(Date.now()), options.retentionCheckMs);
    const release = async () => {
      clearInterval(retention);
      coordinator.close();
      await flusher.flush();
      topics.close();
      offsets.close();
      unlock();
    };
    await listen(server, port, host).catch(async (error) => {
      await release();
      throw error;
    });
    let closing: Promise<void> | undefined;
    const close = async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of connections) connection.destroy();
      await closed;
      await release();
    };
    return {
      port: room.port(),
      close() {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

function accept(server: net.Server, room: BrokerRoom, options: BrokerOptions): ReadonlySet<Connection> {
  const connections = new Set<Connection>();
  server.on("connection", (socket) => {
    if (connections.size >= options.maxConnections) {
      room.log("connection refused", { reason: `there are ${options.maxConnections} already` });
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, room, options.maxRequestBytes);
    connections.add(connection);
    socket.on("close", () => connections.delete(connection));
  });
  return connections;
}

function listen(server: net.Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Clients take a broker with another id for another cluster, so it is made once and kept. */
function readClusterId(directory: string): string {
  const file = path.join(directory, "cluster-id");
  if (!fs.existsSync(file)) writeFileAtomically(file, `${randomUUID()}\n`);
  return fs.readFileSync(file, "utf8").trim();
}
