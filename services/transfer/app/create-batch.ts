import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type BatchMode, GATE_MS, MAX_SCHEDULED, MAX_UNDER_WAY } from "../domain/batch.ts";
import { accountsOf, type BatchLine, judgeLines, type LineVerdict } from "../domain/batch-line.ts";
import { type AccountFacts, checkPlan, type TransferFacts } from "../domain/transfer.ts";
import type { BatchRow, DueWork, NewBatch } from "./batch-rows.ts";

/** Lines that a refusal names at most. */
const MAX_NAMED = 100;

interface BatchStore {
  findBatches(from: Queryable, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  countOfMember(from: Queryable, memberId: string): Promise<{ underWay: number; scheduled: number }>;
  insertBatch(tx: Transaction, batch: NewBatch): Promise<boolean>;
}

interface LineStore {
  insertLines(tx: Transaction, batch: NewBatch): Promise<void>;
}

export interface CreateBatchDeps {
  database: Database;
  batches: BatchStore;
  lines: LineStore;
  due: { planWork(tx: Transaction, work: readonly DueWork[]): Promise<void> };
  members: { stateOf(memberId: string): Promise<TransferFacts["memberState"]> };
  accounts: { allFactsOf(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, AccountFacts>> };
  /** Hears after the commit of work that has its time, Unix time in milliseconds. */
  wakeBy(dueAtMs: number): void;
  now(): Date;
}

/** A request to record a batch. */
export interface CreateBatch {
  id: string;
  memberId: string;
  requestHash: Uint8Array;
  mode: BatchMode;
  /** Of the lines that name none; undefined: there is none. */
  sourceAccountId: string | undefined;
  executeAtMs: number | undefined;
  expireAtMs: number | undefined;
  /** Reads the lines. @throws FerryError when they cannot be read. */
  readLines(): readonly BatchLine[];
}

/** @throws FerryError BATCH_REFUSED that names the lines that cannot be paid, a hundred at most. */
function refuseIfAnyIsBad(verdicts: readonly LineVerdict[]): void {
  const bad = verdicts.filter((verdict) => verdict.kind === "refused");
  if (bad.length === 0) return;
  const fields = bad.slice(0, MAX_NAMED).map(({ line: { line }, failure: { code, message } }) => ({
    field: `lines[${line - 1}]`,
    description: `line ${line}: ${code}: ${message}`,
  }));
  const what = bad.length === 1 ? "one line" : `${bad.length} lines`;
  throw new FerryError("BATCH_REFUSED", `${what} of the batch cannot be paid: ${fields[0]?.description}`, { fields });
}

/** @throws FerryError RATE_LIMITED when the member has as many batches of this kind as may be. */
function refuseIfTooMany(
  { executeAtMs }: CreateBatch,
  { underWay, scheduled }: { underWay: number; scheduled: number },
): void {
  const later = executeAtMs !== undefined;
  const [count, limit] = later ? [scheduled, MAX_SCHEDULED] : [underWay, MAX_UNDER_WAY];
  const what = later ? "wait for their time" : "are under way";
  if (count >= limit)
    throw new FerryError("RATE_LIMITED", `${limit} batches of the member ${what}, as many as may be`, {
      retryAfterMs: 5_000,
    });
}

/** Whether a recorded batch came of the same request. @throws FerryError IDEMPOTENCY_KEY_REUSED when not. */
function replayOf(recorded: BatchRow, request: CreateBatch): BatchRow {
  if (Buffer.compare(recorded.requestHash, request.requestHash) === 0) return recorded;
  throw new FerryError("IDEMPOTENCY_KEY_REUSED", "the idempotency key was used before, with another request");
}

/**
 * Records a batch with all its lines in one transaction; their transfers begin later, in small sets.
 *
 * @returns whether it was recorded by an earlier request with the same key.
 */
export function createCreateBatch(deps: CreateBatchDeps): (request: CreateBatch) => Promise<{ replayed: boolean }> {
  const { database, batches, lines, due, members, accounts, wakeBy, now } = deps;

  /** @throws FerryError for what refuses the whole batch. */
  async function judge(request: CreateBatch): Promise<LineVerdict[]> {
    checkPlan(request, now().getTime());
    const wanted = request.readLines().map((line) => ({
      ...line,
      sourceAccountId: line.sourceAccountId === "" ? (request.sourceAccountId ?? "") : line.sourceAccountId,
    }));
    const [memberState, known, others] = await Promise.all([
      members.stateOf(request.memberId),
      accounts.allFactsOf(accountsOf(wanted)),
      batches.countOfMember(database, request.memberId),
    ]);
    refuseIfTooMany(request, others);
    if (memberState === undefined) throw new FerryError("NOT_FOUND", "no such member");
    if (memberState === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
    const verdicts = judgeLines(request.memberId, wanted, { memberState, accounts: known });
    if (request.mode === "ALL_OR_NOTHING") refuseIfAnyIsBad(verdicts);
    return verdicts;
  }

  function newBatchOf({ readLines: _, ...request }: CreateBatch, verdicts: readonly LineVerdict[]): NewBatch {
    const createdAt = now();
    const atOnce = request.executeAtMs === undefined;
    const gateMs = request.mode === "ALL_OR_NOTHING" && atOnce ? createdAt.getTime() + GATE_MS : undefined;
    return {
      ...request,
      state: atOnce ? "RUNNING" : "SCHEDULED",
      expireAtMs: request.expireAtMs ?? gateMs,
      createdAt,
      lines: verdicts,
    };
  }

  return async (request) => {
    const before = (await batches.findBatches(database, [request.id])).get(request.id);
    if (before !== undefined) {
      replayOf(before, request);
      return { replayed: true };
    }
    const batch = newBatchOf(request, await judge(request));
    const dueAtMs = batch.executeAtMs ?? batch.createdAt.getTime();
    const isNew = await database.transaction(async (tx) => {
      if (!(await batches.insertBatch(tx, batch))) return false;
      tx.afterCommit(() => wakeBy(dueAtMs));
      await Promise.all([
        lines.insertLines(tx, batch),
        due.planWork(tx, [{ id: batch.id, kind: "advance-batch", dueAtMs }]),
      ]);
      return true;
    });
    if (isNew) return { replayed: false };
    const other = (await batches.findBatches(database, [request.id])).get(request.id);
    if (other === undefined) throw new Error(`batch ${request.id} was recorded but cannot be read`);
    replayOf(other, request);
    return { replayed: true };
  };
}
