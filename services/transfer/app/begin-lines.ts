import { type Database, nameUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import type { Batch, LineState, Verdict } from "../domain/batch.ts";
import { accountsOf, judgeLine, type LineFailure, type LineVerdict } from "../domain/batch-line.ts";
import type { AccountFacts, TransferFacts } from "../domain/transfer.ts";
import { definitionOf } from "../sagas/send-in-batch.ts";
import { sagaStateOf, type TransferSagaState } from "../sagas/state.ts";
import type { BatchRow, LineRow } from "./batch-rows.ts";
import type { NewTransfer } from "./transfer-row.ts";

/** Lines whose transfers begin in one transaction at most. */
const CHUNK = 128;
const NO_REQUEST = new Uint8Array(0);

interface LineStore {
  listLines(
    from: Queryable,
    page: { batchId: string; state: LineState; after: number; limit: number },
  ): Promise<LineRow[]>;
  beginLines(
    tx: Transaction,
    batchId: string,
    lines: readonly { line: number; transferId: string | undefined; failure: LineFailure | undefined }[],
  ): Promise<Set<number>>;
}

interface BatchStore {
  lockBatches(tx: Transaction, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  decideBatch(tx: Transaction, id: string, verdict: Verdict): Promise<void>;
}

interface SagaBeginner {
  begin(
    tx: Transaction,
    sagas: readonly { id: string; definition: string; state: TransferSagaState }[],
  ): Promise<unknown>;
}

export interface BeginLinesDeps {
  database: Database;
  batches: BatchStore;
  lines: LineStore;
  store: { insertTransfers(tx: Transaction, transfers: readonly NewTransfer[], now: Date): Promise<unknown> };
  sagas: SagaBeginner;
  members: { stateOf(memberId: string): Promise<TransferFacts["memberState"]> };
  accounts: { allFactsOf(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, AccountFacts>> };
  now(): Date;
}

/** The id of a line's transfer: beginning a line again is beginning the same transfer. */
function transferIdOf(batch: Batch, line: number): string {
  return nameUuid(batch.id, `line ${line}`);
}

/**
 * Begins the transfers of the next lines of a batch. Member and accounts are checked once more, with one call for the
 * whole set: a line that can no longer be paid FAILED, and stops an all-or-nothing batch.
 *
 * @throws what the other services throw when they cannot be asked: then nothing has begun.
 */
export function createBeginLines(deps: BeginLinesDeps) {
  const { database, batches, lines, store, sagas, members, accounts, now } = deps;

  async function judge(batch: Batch, found: readonly LineRow[]): Promise<LineVerdict[]> {
    const [memberState, known] = await Promise.all([
      members.stateOf(batch.memberId),
      accounts.allFactsOf(accountsOf(found)),
    ]);
    return found.map((line) => judgeLine(batch.memberId, line, { memberState, accounts: known }));
  }

  function newTransferOf(batch: Batch, { line: { line, ...wanted } }: LineVerdict & { kind: "payable" }): NewTransfer {
    const { sourceAccountId, destination, currency, amountMinor, memo } = wanted;
    return {
      ...{ sourceAccountId, destination, currency, amountMinor, memo },
      id: transferIdOf(batch, line),
      memberId: batch.memberId,
      requestHash: NO_REQUEST, // It came with its batch's request, whose key is not its own.
      executeAtMs: batch.executeAtMs,
      expireAtMs: batch.expireAtMs,
      batch: { id: batch.id, line },
    };
  }

  async function begin(tx: Transaction, batch: Batch, verdicts: readonly LineVerdict[]): Promise<void> {
    const fresh = await lines.beginLines(
      tx,
      batch.id,
      verdicts.map((verdict) => ({
        line: verdict.line.line,
        transferId: verdict.kind === "payable" ? transferIdOf(batch, verdict.line.line) : undefined,
        failure: verdict.kind === "payable" ? undefined : verdict.failure,
      })),
    );
    const taken = verdicts.filter(({ line: { line } }) => fresh.has(line));
    const transfers = taken.flatMap((each) => (each.kind === "payable" ? [newTransferOf(batch, each)] : []));
    const gated = batch.mode === "ALL_OR_NOTHING";
    const bad = gated ? taken.find((each) => each.kind !== "payable") : undefined;
    if (bad !== undefined) await batches.decideBatch(tx, batch.id, { kind: "STOP", failure: failedBecauseOf(bad) });
    if (transfers.length === 0) return;
    await Promise.all([
      store.insertTransfers(tx, transfers, now()),
      sagas.begin(
        tx,
        transfers.map((transfer) => ({
          id: transfer.id,
          definition: definitionOf(transfer.destination.kind, gated),
          state: sagaStateOf(transfer),
        })),
      ),
    ]);
  }

  return async (batch: Batch, count: number): Promise<void> => {
    const page = { batchId: batch.id, state: "PENDING", after: 0, limit: Math.min(count, CHUNK) } as const;
    const found = await lines.listLines(database, page);
    const verdicts = await judge(batch, found);
    await database.transaction(async (tx) => {
      const locked = (await batches.lockBatches(tx, [batch.id])).get(batch.id);
      if (locked?.state !== "RUNNING" || locked.verdict !== undefined) return; // Stopped meanwhile.
      await begin(tx, batch, verdicts);
    });
  };
}

function failedBecauseOf(verdict: LineVerdict): LineFailure {
  const code = verdict.kind === "payable" ? "INTERNAL" : verdict.failure.code;
  return { code: "BATCH_FAILED", message: `line ${verdict.line.line} of the batch failed: ${code}` };
}
