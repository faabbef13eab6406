import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { CallOptions } from "@connectrpc/connect";
import { WebhookService } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { TransferCompletedSchema, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Authenticator } from "@ferry/platform/auth";
import { create, encode } from "@ferry/platform/codec";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createMemoryBus, type MemoryBus, writeHeaders } from "@ferry/platform/events";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { bePatient, PATIENT } from "../../test/support/patient.ts";
import { createNotifyService, migrations, type NotifyParts } from "./service.ts";

bePatient(WebhookService);

/** For tests: what a database needs to become notify's. */
export const notifyTemplate = { name: "notify", run: (url: string) => migrate(url, [...migrations]) };

const build = { service: "notify", version: "0", commit: "none", buildTime: "none" };
const PATIENCE_MS = 15_000;

/** Resolves with what the look-up gives, as soon as it gives something. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A webhook as a receiver got it. */
export interface Received {
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** For tests: a real HTTP server that keeps what it got and answers as told. */
export async function startReceiver(answer: (received: Received, response: ServerResponse) => void) {
  const received: Received[] = [];
  const listener: RequestListener = (request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body };
      received.push(one);
      answer(one, response);
    });
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Credentials of a member. */
export function as(memberId: string): CallOptions {
  return { headers: { authorization: `member ${memberId}` } };
}

const authenticator: Authenticator = {
  authenticate(authorization = "") {
    const [kind, id = ""] = authorization.split(" ");
    if (kind !== "member") throw new FerryError("UNAUTHENTICATED", "no credentials");
    const scopes = new Set(["webhooks:read", "webhooks:write"]);
    return { kind, id, scopes, expiresAt: Number.MAX_SAFE_INTEGER };
  },
  isSuspended: () => false,
};

const CONFIG: NotifyParts["config"] = {
  keySecret: randomBytes(32),
  targets: "any",
  retryDelaysMs: [20, 40],
  timeoutMs: 30_000,
  maxEndpoints: 3,
  maxPending: 1_000,
  maxInFlight: 16,
  maxInFlightEach: 4,
  disableAfterMs: 60_000,
  previousSecretMs: 60_000,
};

export interface NotifyOptions {
  url: string;
  config?: Partial<NotifyParts["config"]>;
  /** Default: one of its own. */
  bus?: MemoryBus;
}

/** For tests: notify on a database, behind its real server, with a bus in memory. */
export async function startNotify({ url, config, bus = createMemoryBus() }: NotifyOptions) {
  const database = openDatabase({ url, ...PATIENT });
  const service = createNotifyService({ database, bus, logger, config: { ...CONFIG, ...config } });
  const server = createRpcServer({ service: "notify", port: 0, routes: service.routes, authenticator, logger, build });
  const parts = [server, ...service.components];
  for (const part of parts) await part.start?.();
  const channel = openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "notify", logger, ...PATIENT });
  return {
    ...{ database, bus },
    client: createRpcClient(WebhookService, channel),
    async stop() {
      channel.close();
      for (const part of parts.toReversed()) await part.stop?.();
      await database.close();
    },
  };
}

/** For tests: says on the bus that a transfer of a member's was settled. @returns the transfer's id. */
export async function publishCompleted(
  bus: MemoryBus,
  memberId: string,
  { transferId = newUuid(), version = 5n, memo = "" } = {},
): Promise<string> {
  const transfer = {
    id: transferId,
    state: TransferState.COMPLETED,
    memo,
    amount: { currency: "EUR", minorUnits: 5n },
  };
  const value = encode(
    TransferCompletedSchema,
    create(TransferCompletedSchema, { transferId, memberId, transfer, version }),
  );
  const facts = { id: `${transferId}:${version}`, source: "ferry/transfer", time: new Date("2026-01-02T03:04:05Z") };
  const headers = writeHeaders({ ...facts, type: TransferCompletedSchema.typeName });
  await bus.publish([{ topic: "ferry.transfer.events.v1", key: transferId, value, headers }]);
  return transferId;
}
