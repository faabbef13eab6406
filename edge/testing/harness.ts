import { type ConnectRouter, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { AuditService } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { BuildService } from "@ferry/gen/ferry/build/v1/build_pb.ts";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { WebhookService } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { PaymentService, TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { TransferBatchService } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { TransferService, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { InDoubtTransactionService } from "@ferry/gen/ferry/two_phase/v1/two_phase_pb.ts";
import {
  type AuthorityState,
  createAuthenticator,
  createAuthorityState,
  createTokenSigner,
  generateKeyPair,
  type Role,
} from "@ferry/platform/auth";
import { silentLogger } from "@ferry/platform/telemetry";
import { type Backend, type exposedServices, transportBackend } from "../backends.ts";
import type { EdgeLimits } from "../config.ts";
import { compileEdgeRoutes } from "../routes.ts";
import { buildEdge, type EdgeOptions } from "../server.ts";

/** A call as a backend got it. */
export interface SeenCall {
  rpc: string;
  headers: Headers;
  request: unknown;
  timeoutMs: number | undefined;
  signal: AbortSignal;
}

export interface HarnessOptions {
  limits?: Partial<EdgeLimits>;
  options?: Partial<EdgeOptions>;
  /** Backends instead of those in memory. */
  backendsOf?: (authority: AuthorityState) => Promise<readonly Backend[]>;
  /** Services instead of Ferry's own, to be served by those backends. */
  services?: typeof exposedServices;
  /** Answers instead of the usual ones, by rpc: "CreateTransfer". */
  answers?: Record<string, (request: never, context: HandlerContext) => unknown>;
}

export const MEMBER_ID = "0190b2c4-0000-7000-8000-000000000001";
export const ACCOUNT_ID = "0190b2c4-0000-7000-8000-00000000000a";
const CLIENT_ID = "0190b2c4-0000-7000-8000-0000000000cc";
const NO_LIMITS: EdgeLimits = {
  rateRead: 0,
  rateWrite: 0,
  rateLogin: 0,
  rateAddress: 0,
  rateStoreTimeoutMs: 5_000,
  maxBodyBytes: 65_536,
  maxInFlight: 1_000,
  maxStreams: 8,
  maxStreamsEach: 4,
  maxConnections: 1_000,
  maxConnectionsEach: 0,
  requestTimeoutMs: 15_000,
  answerStallMs: 30_000,
  maxLoopLagMs: 0,
};

const ANSWERS: Record<string, unknown> = {
  CreateTransfer: { transfer: { id: ACCOUNT_ID, state: TransferState.COMPLETED } },
  CreateTopUp: { topUp: { id: ACCOUNT_ID, state: TopUpState.ACCEPTED } },
  GetBuild: { service: "x", version: "1.2.3", commit: "abc", buildTime: "2026-01-01T00:00:00Z" },
};

/** An edge in memory, before backends that answer over Connect's own in-memory transport, with tokens that are real. */
export async function createHarness({
  limits,
  options,
  backendsOf,
  services: offered,
  answers = {},
}: HarnessOptions = {}) {
  const seen: SeenCall[] = [];
  const services = [
    MemberService,
    ApiClientService,
    AuditLogService,
    LedgerService,
    TransferService,
    TransferBatchService,
    PaymentService,
    WebhookService,
    ParkedSagaService,
    AuditService,
    InDoubtTransactionService,
    BuildService,
  ];
  const routes = (router: ConnectRouter) => {
    for (const service of services) {
      const handlers = service.methods.map((rpc) => {
        const handle = (request: never, context: HandlerContext) => {
          const { requestHeader: headers, signal } = context;
          seen.push({ rpc: rpc.name, headers, request, timeoutMs: context.timeoutMs(), signal });
          return answers[rpc.name]?.(request, context) ?? ANSWERS[rpc.name] ?? {};
        };
        return [rpc.localName, handle];
      });
      router.service(service, Object.fromEntries(handlers));
    }
  };
  const transport = createRouterTransport(routes);
  const inMemory = ["member", "ledger", "banking", "transfer", "payment", "notify"].map((name) =>
    transportBackend(name, transport),
  );

  const { privateKeyPem, publicKeyPem } = generateKeyPair();
  const signer = createTokenSigner({ kid: "k1", privateKeyPem });
  const authority = createAuthorityState();
  const change = { suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  authority.apply({ ...change, snapshot: true, keys: [{ kid: "k1", publicKeyPem }] });
  const backends = (await backendsOf?.(authority)) ?? inMemory;
  const authenticator = createAuthenticator({ audience: "edge", authority, trustedServices: new Map() });

  const edge = await buildEdge({
    options: {
      port: 0,
      host: "127.0.0.1",
      corsOrigins: [],
      trustedProxies: [],
      ...options,
      limits: { ...NO_LIMITS, ...limits },
    },
    backends,
    ...(offered === undefined
      ? {}
      : { routes: compileEdgeRoutes(new Map(backends.map((one) => [one.name, one])), offered) }),
    authenticator,
    authority,
    build: { service: "edge", version: "0.0.1", commit: "c", buildTime: "t" },
    logger: silentLogger,
  });
  return {
    ...edge,
    seen,
    backends,
    authority,
    suspend: (memberId: string) =>
      authority.apply({ ...change, snapshot: false, keys: [], suspendedMemberIds: [memberId] }),
    bearer: (role: Role = "member", memberId = MEMBER_ID, nowMs = Date.now()) =>
      `Bearer ${signer.sign({ memberId, sessionId: "0190b2c4-0000-7000-8000-0000000000ff", role }, nowMs)}`,
    /** The token of a member's API client. */
    machine: (scopes: readonly string[], role: Role = "member") =>
      `Bearer ${signer.sign({ memberId: MEMBER_ID, sessionId: CLIENT_ID, role, client: { id: CLIENT_ID, scopes } })}`,
  };
}

export type Harness = Awaited<ReturnType<typeof createHarness>>;

/** A transfer that keeps every rule. */
export const TRANSFER = {
  sourceAccountId: ACCOUNT_ID,
  destination: { bankAccount: { bankCode: "081", accountNumber: "2200004321" } },
  amount: { currency: "EUR", minorUnits: "2500" },
  memo: "tea",
};
