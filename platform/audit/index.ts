export { type Auditor, type AuditorOptions, createAuditor } from "./auditor.ts";
export { type FeedOptions, type Findings, feedCheck, SWEEP_REST_MS, sweepCheck, type TimeWindow } from "./feed.ts";
export { createHorizon, type Horizon } from "./horizon.ts";
export { outboxCheck } from "./outbox-check.ts";
export { askByReference, type RecordFeedOptions, recordFeed } from "./record-feed.ts";
export { auditRoutes } from "./rpc.ts";
export { sagaCheck } from "./saga-check.ts";
export { auditMigrations } from "./store.ts";
export type { AuditCheck, AuditResult, AuditRound, FoundBreach, FreezeAccounts } from "./types.ts";
