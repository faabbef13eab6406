// Made by `npm run generate` from the contracts; do not edit.
import type { ServicePlans } from "../calls.ts";
import type { AuditCalls } from "./audit-v1.ts";
import type { HomeCalls } from "./home-v1.ts";
import type { LedgerCalls } from "./ledger-v1.ts";
import type { ApiClientCalls } from "./member-v1.ts";
import type { AuditLogCalls } from "./member-v1.ts";
import type { MemberCalls } from "./member-v1.ts";
import type { WebhookCalls } from "./notify-v1.ts";
import type { PaymentCalls } from "./payment-v1.ts";
import type { ParkedSagaCalls } from "./saga-v1.ts";
import type { TransferBatchCalls } from "./transfer-v1.ts";
import type { TransferCalls } from "./transfer-v1.ts";
import type { InDoubtTransactionCalls } from "./two-phase-v1.ts";

/** The types of each domain. */
export type * as Audit from "./audit-v1.ts";
export type * as Home from "./home-v1.ts";
export type * as Ledger from "./ledger-v1.ts";
export type * as Member from "./member-v1.ts";
export type * as Notify from "./notify-v1.ts";
export type * as Payment from "./payment-v1.ts";
export type * as Saga from "./saga-v1.ts";
export type * as Transfer from "./transfer-v1.ts";
export type * as TwoPhase from "./two-phase-v1.ts";
export type * as Types from "./types-v1.ts";

/** The API: by service, then by rpc. */
export interface FerryClient {
  audit: AuditCalls;
  home: HomeCalls;
  ledger: LedgerCalls;
  apiClient: ApiClientCalls;
  auditLog: AuditLogCalls;
  member: MemberCalls;
  webhook: WebhookCalls;
  payment: PaymentCalls;
  parkedSaga: ParkedSagaCalls;
  transferBatch: TransferBatchCalls;
  transfer: TransferCalls;
  inDoubtTransaction: InDoubtTransactionCalls;
}

export const servicePlans: ServicePlans = {
  audit: {
    getAudit: {"httpMethod":"GET","path":"/v1/audits/{service}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    listBreaches: {"httpMethod":"GET","path":"/v1/audits/{service}/breaches","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"breaches"},
    acknowledgeBreach: {"httpMethod":"POST","path":"/v1/audits/{service}/breaches/{breachId}:acknowledge","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":true},
  },
  home: {
    getHome: {"httpMethod":"GET","path":"/v1/home","body":"","withToken":true,"deadlineMs":2500,"retrySafe":true},
  },
  ledger: {
    openAccount: {"httpMethod":"POST","path":"/v1/accounts","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
    listAccounts: {"httpMethod":"GET","path":"/v1/accounts","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"accounts"},
    getAccount: {"httpMethod":"GET","path":"/v1/accounts/{accountId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    listEntries: {"httpMethod":"GET","path":"/v1/accounts/{accountId}/entries","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"entries"},
    closeAccount: {"httpMethod":"POST","path":"/v1/accounts/{accountId}:close","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":true},
    freezeAccount: {"httpMethod":"POST","path":"/v1/accounts/{accountId}:freeze","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":true},
    unfreezeAccount: {"httpMethod":"POST","path":"/v1/accounts/{accountId}:unfreeze","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":true},
  },
  apiClient: {
    createApiClient: {"httpMethod":"POST","path":"/v1/api-clients","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":false},
    listApiClients: {"httpMethod":"GET","path":"/v1/api-clients","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    getApiClient: {"httpMethod":"GET","path":"/v1/api-clients/{apiClientId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    rotateApiClientSecret: {"httpMethod":"POST","path":"/v1/api-clients/{apiClientId}:rotate-secret","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":false},
    deleteApiClient: {"httpMethod":"DELETE","path":"/v1/api-clients/{apiClientId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":false},
    createToken: {"httpMethod":"POST","path":"/v1/tokens","body":"*","withToken":false,"deadlineMs":2000,"retrySafe":false},
  },
  auditLog: {
    listAuditLogEntries: {"httpMethod":"GET","path":"/v1/audit-log","body":"","withToken":true,"deadlineMs":3000,"retrySafe":true,"items":"entries"},
  },
  member: {
    createMember: {"httpMethod":"POST","path":"/v1/members","body":"*","withToken":false,"deadlineMs":5000,"retrySafe":false},
    getCurrentMember: {"httpMethod":"GET","path":"/v1/members/me","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    createSession: {"httpMethod":"POST","path":"/v1/sessions","body":"*","withToken":false,"deadlineMs":5000,"retrySafe":false},
    refreshSession: {"httpMethod":"POST","path":"/v1/sessions:refresh","body":"*","withToken":false,"deadlineMs":2000,"retrySafe":false},
    listSessions: {"httpMethod":"GET","path":"/v1/sessions","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"sessions"},
    deleteSession: {"httpMethod":"DELETE","path":"/v1/sessions/{sessionId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":false},
    revokeOtherSessions: {"httpMethod":"POST","path":"/v1/sessions:revoke-others","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":true},
    suspendMember: {"httpMethod":"POST","path":"/v1/members/{memberId}:suspend","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":true},
    reinstateMember: {"httpMethod":"POST","path":"/v1/members/{memberId}:reinstate","body":"*","withToken":true,"deadlineMs":2000,"retrySafe":true},
  },
  webhook: {
    createWebhookEndpoint: {"httpMethod":"POST","path":"/v1/webhook-endpoints","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
    listWebhookEndpoints: {"httpMethod":"GET","path":"/v1/webhook-endpoints","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    getWebhookEndpoint: {"httpMethod":"GET","path":"/v1/webhook-endpoints/{endpointId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    deleteWebhookEndpoint: {"httpMethod":"DELETE","path":"/v1/webhook-endpoints/{endpointId}","body":"","withToken":true,"deadlineMs":5000,"retrySafe":false},
    rotateWebhookSecret: {"httpMethod":"POST","path":"/v1/webhook-endpoints/{endpointId}:rotate-secret","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
    testWebhookEndpoint: {"httpMethod":"POST","path":"/v1/webhook-endpoints/{endpointId}:test","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
    enableWebhookEndpoint: {"httpMethod":"POST","path":"/v1/webhook-endpoints/{endpointId}:enable","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":true},
    listWebhookDeliveries: {"httpMethod":"GET","path":"/v1/webhook-endpoints/{endpointId}/deliveries","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"deliveries"},
    getWebhookDelivery: {"httpMethod":"GET","path":"/v1/webhook-deliveries/{deliveryId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    redriveWebhookDelivery: {"httpMethod":"POST","path":"/v1/webhook-deliveries/{deliveryId}:redrive","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":true},
    redriveWebhookDeliveries: {"httpMethod":"POST","path":"/v1/webhook-endpoints/{endpointId}/deliveries:redrive","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":true},
  },
  payment: {
    createTopUp: {"httpMethod":"POST","path":"/v1/top-ups","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":true,"keyRequired":true},
    getTopUp: {"httpMethod":"GET","path":"/v1/top-ups/{topUpId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    createPayment: {"httpMethod":"POST","path":"/v1/payments","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":true,"keyRequired":true},
    getPayment: {"httpMethod":"GET","path":"/v1/payments/{paymentId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    listPayments: {"httpMethod":"GET","path":"/v1/payments","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"payments"},
    cancelPayment: {"httpMethod":"POST","path":"/v1/payments/{paymentId}:cancel","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":true},
    createRefund: {"httpMethod":"POST","path":"/v1/payments/{paymentId}/refunds","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":true,"keyRequired":true},
    getRefund: {"httpMethod":"GET","path":"/v1/payments/{paymentId}/refunds/{refundId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    listRefunds: {"httpMethod":"GET","path":"/v1/payments/{paymentId}/refunds","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"refunds"},
  },
  parkedSaga: {
    listParkedSagas: {"httpMethod":"GET","path":"/v1/parked-sagas","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"sagas"},
    getSaga: {"httpMethod":"GET","path":"/v1/sagas/{sagaId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    resumeSaga: {"httpMethod":"POST","path":"/v1/parked-sagas/{sagaId}:resume","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
    undoSaga: {"httpMethod":"POST","path":"/v1/parked-sagas/{sagaId}:undo","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
    skipSagaStep: {"httpMethod":"POST","path":"/v1/parked-sagas/{sagaId}:skip","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":false},
  },
  transferBatch: {
    createTransferBatch: {"httpMethod":"POST","path":"/v1/transfer-batches","body":"*","withToken":true,"deadlineMs":10000,"retrySafe":true,"keyRequired":true},
    getTransferBatch: {"httpMethod":"GET","path":"/v1/transfer-batches/{batchId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    listTransferBatches: {"httpMethod":"GET","path":"/v1/transfer-batches","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"batches"},
    listTransferBatchLines: {"httpMethod":"GET","path":"/v1/transfer-batches/{batchId}/lines","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"lines"},
    cancelTransferBatch: {"httpMethod":"POST","path":"/v1/transfer-batches/{batchId}:cancel","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":true},
  },
  transfer: {
    createTransfer: {"httpMethod":"POST","path":"/v1/transfers","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":true,"keyRequired":true},
    getTransfer: {"httpMethod":"GET","path":"/v1/transfers/{transferId}","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true},
    watchTransfer: {"httpMethod":"GET","path":"/v1/transfers/{transferId}:watch","body":"","withToken":true,"deadlineMs":300000,"retrySafe":false,"stream":{"resumable":true}},
    listTransfers: {"httpMethod":"GET","path":"/v1/transfers","body":"","withToken":true,"deadlineMs":2000,"retrySafe":true,"items":"transfers"},
    cancelTransfer: {"httpMethod":"POST","path":"/v1/transfers/{transferId}:cancel","body":"*","withToken":true,"deadlineMs":3000,"retrySafe":true},
  },
  inDoubtTransaction: {
    listInDoubtTransactions: {"httpMethod":"GET","path":"/v1/in-doubt-transactions","body":"","withToken":true,"deadlineMs":5000,"retrySafe":true},
    commitInDoubtTransaction: {"httpMethod":"POST","path":"/v1/in-doubt-transactions/{transactionId}:commit","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":false},
    rollbackInDoubtTransaction: {"httpMethod":"POST","path":"/v1/in-doubt-transactions/{transactionId}:rollback","body":"*","withToken":true,"deadlineMs":5000,"retrySafe":false},
  },
};
