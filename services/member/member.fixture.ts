import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Client } from "@connectrpc/connect";
import { ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createAuthenticator, createServiceIdentity, generateKeyPair, trustedServicesJson } from "@ferry/platform/auth";
import { type Database, migrate, openDatabase } from "@ferry/platform/db";
import type { FerryError, Reason } from "@ferry/platform/errors";
import { createMemoryBus, type ReceivedRecord } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel, type RpcChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { bePatient, PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { createMakeOperator } from "./app/make-operator.ts";
import { createKeyring } from "./keyring.ts";
import { createMemberService, type MemberDeps } from "./service.ts";
import { apiClientStore } from "./store/api-client-store.ts";
import { auditStore } from "./store/audit-store.ts";
import { memberStore } from "./store/member-store.ts";
import { memberMigrations } from "./store/migrations.ts";
import { notify } from "./store/notices.ts";
import { createPasswordHasher } from "./store/password-hash.ts";
import { sessionStore } from "./store/session-store.ts";

export const PASSWORD = "correct horse";
bePatient(MemberService, ApiClientService, AuditLogService);

const transferKeys = generateKeyPair();
const identity = createServiceIdentity({ name: "transfer", privateKeyPem: transferKeys.privateKeyPem });
const keySecret = randomBytes(32);
const rotateAfterMs = 86_400_000;

/** The one service that may call: transfer. */
export const trustedServices = trustedServicesJson(new Map([["transfer", transferKeys.privateKeyPem]]));

/** Two replicas of member on one migrated database, behind their real rpc servers, with an operator. */
export type MemberPlatform = Awaited<ReturnType<typeof startMembers>>;

/** @param keyOverlapMs How long a new signing key is published before it signs. Default as everywhere. */
export async function startMembers(url: string, keyOverlapMs?: number) {
  const config = { keySecret, rotateAfterMs, keyOverlapMs };
  const bus = createMemoryBus();
  const parts: Component[] = [];
  const replicas = await Promise.all([startReplica(url, bus, parts, config), startReplica(url, bus, parts, config)]);
  const [{ address, database }, second] = replicas;
  const channelTo = (to: string, caller?: typeof identity) =>
    openChannel({ url: to, audience: "member", identity: caller, logger, ...PATIENT });
  const [anonymous, transfer] = [channelTo(address), channelTo(address, identity)];
  const otherReplica = channelTo(second.address, identity);
  const member = createRpcClient(MemberService, anonymous);

  const events: ReceivedRecord[] = [];
  const handle = async (set: readonly ReceivedRecord[]) => void events.push(...set);
  await bus.subscribe({ group: "test", topics: ["ferry.member.events.v1"], handle });
  const makeOperator = operatorMaker(database);
  const people = createPeople(member);
  await makeOperator({ email: "Boss@example.com", displayName: "Boss", password: PASSWORD });
  const operatorAuthorization = (await people.logIn("boss@example.com")).authorization;
  return {
    ...people,
    ...{ database, member, anonymous, transfer, otherReplica, events, makeOperator, operatorAuthorization },
    /** What the command on the server does: gives the signing key a successor. */
    rotateKeys: () =>
      createKeyring({ database, secret: keySecret, rotateAfterMs, overlapMs: keyOverlapMs }).rotate(true),
    async stop() {
      for (const channel of [anonymous, transfer, otherReplica] satisfies RpcChannel[]) channel.close();
      for (const part of parts.reverse()) await part.stop?.();
      await bus.close();
    },
  };
}

/** What a database of member is copied from. */
export const memberTemplate = {
  name: "member_service",
  run: (url: string) => migrate(url, [outboxMigrations, memberMigrations]),
};

/** The same on a database of its own, which is dropped when it stops. */
export async function startMembersAlone(): Promise<MemberPlatform> {
  const { url, drop } = await createTestDatabase(memberTemplate);
  const platform = await startMembers(url);
  const stop = async () => {
    await platform.stop();
    await drop();
  };
  return { ...platform, stop };
}

async function startReplica(
  url: string,
  bus: ReturnType<typeof createMemoryBus>,
  parts: Component[],
  config: MemberDeps["config"],
) {
  const database = openDatabase({ url, ...PATIENT });
  const outbox = createOutbox({ database, bus, source: "ferry/member", logger });
  const service = createMemberService({ database, outbox, logger, config });
  const { authority } = service;
  const server = createRpcServer({
    service: "member",
    port: 0,
    routes: service.routes,
    authenticator: createAuthenticator({ audience: "member", authority, trustedServices }),
    logger,
    build: { service: "member", version: "0", commit: "none", buildTime: "none" },
  });
  const pool: Component = { name: "pool", stop: () => database.close() };
  for (const part of [pool, outbox, authority, server, ...service.components]) {
    await part.start?.();
    parts.push(part);
  }
  return { address: `http://127.0.0.1:${server.port}`, database };
}

const operatorMaker = (database: Database) =>
  createMakeOperator({
    database,
    members: memberStore,
    sessions: sessionStore,
    apiClients: apiClientStore,
    passwords: createPasswordHasher(),
    audit: auditStore,
    notifyAll: (tx) => notify(tx, { kind: "all" }),
  });

function createPeople(member: Client<typeof MemberService>) {
  let count = 0;
  async function logIn(email: string, password = PASSWORD) {
    const tokens = await member.createSession({ email, password });
    return { ...tokens, authorization: `Bearer ${tokens.accessToken}` };
  }
  return {
    logIn,
    /** Signs a new person up, and logs them in. */
    async signUp() {
      const email = `person${++count}@example.com`;
      const created = await member.createMember({ email, password: PASSWORD, displayName: "A Person" });
      return { id: created.member!.id, email, ...(await logIn(email)) };
    },
  };
}

export const bearer = (authorization: string) => ({ headers: { authorization } });

export async function refusedWith(reason: Reason, call: () => Promise<unknown>): Promise<FerryError> {
  let caught: FerryError | undefined;
  await assert.rejects(call, (error: FerryError) => {
    caught = error;
    assert.equal(error.reason, reason, error.message);
    return true;
  });
  return caught!;
}

/** Longer than a transaction lives: an open one in any database of the test's cluster holds up what goes by the outbox's table. */
const UNTIL_MS = 20_000;

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + UNTIL_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, "the condition did not come true");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
