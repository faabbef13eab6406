import type { Database } from "@ferry/platform/db";
import type { Logger } from "@ferry/platform/telemetry";
import type { TransactionNames } from "./names.ts";
import {
  decide,
  deleteDecisions,
  deleteOldAborts,
  findDecisions,
  listOldCommits,
  listPrepared,
  type OldCommit,
} from "./store.ts";
import type { Decision, InDoubtList, InDoubtTransaction, Participant } from "./types.ts";

/** Ends of commits are written within seconds: what is older has lost its coordinator. */
const FORGOTTEN_AFTER_MS = 60_000;
/** Longer than any coordinator can be paused and still come back to write a commit. */
const ABORTS_KEPT_DAYS = 7;

/** A transaction in doubt. */
export interface Doubt extends Omit<InDoubtTransaction, "preparedOn"> {
  /** The names of its branches by participant, where it is prepared now. */
  prepared: Map<string, string>;
}

export interface Doubts {
  doubts: Map<string, Doubt>;
  unreachable: string[];
}

export interface RecoveryOptions {
  log: Database;
  participants: readonly Participant[];
  names: TransactionNames;
  /** What is not decided is rolled back when it is as old, in milliseconds. */
  abortAfterMs: number;
  /** Whether this process is at work on the transaction: it ends it itself. */
  isLive(id: string): boolean;
  ended(decision: Decision): void;
  logger: Logger;
}

/** Looks what is prepared on the participants, by the names of this log alone. */
export async function findDoubts({ log, participants, names }: RecoveryOptions): Promise<Doubts> {
  const doubts = new Map<string, Doubt>();
  const unreachable: string[] = [];
  const lists = await Promise.allSettled(participants.map(({ database }) => listPrepared(database, names.prefix)));
  for (const [index, list] of lists.entries()) {
    const participant = participants[index]!.name;
    if (list.status === "rejected") unreachable.push(participant);
    for (const { name, ageMs } of list.status === "rejected" ? [] : list.value) {
      const read = names.read(name);
      if (read === undefined) continue;
      const known = doubts.get(read.id) ?? { ...read, decision: undefined, prepared: new Map(), ageMs };
      known.prepared.set(participant, name);
      known.ageMs = Math.max(known.ageMs, ageMs);
      doubts.set(read.id, known);
    }
  }
  for (const [id, decision] of await findDecisions(log, [...doubts.keys()])) doubts.get(id)!.decision = decision;
  return { doubts, unreachable };
}

export function toInDoubt({ prepared, ...doubt }: Doubt): InDoubtTransaction {
  return { ...doubt, preparedOn: [...prepared.keys()] };
}

export function toList({ doubts, unreachable }: Doubts): InDoubtList {
  const transactions = [...doubts.values()].map(toInDoubt);
  return { transactions: transactions.sort((one, other) => other.ageMs - one.ageMs), unreachable };
}

/**
 * One pass of recovery: commits what the log says is committed, rolls back what is too old to be decided
 * any more, and forgets commits that have ended everywhere.
 *
 * An abort is written to the log before anything is rolled back: a coordinator that was only paused, and
 * goes on to commit, finds it there and rolls back too.
 *
 * @returns what is still in doubt.
 */
export async function recoverOnce(options: RecoveryOptions): Promise<Doubts> {
  const { log, isLive, abortAfterMs, logger } = options;
  const oldCommits = await listOldCommits(log, FORGOTTEN_AFTER_MS);
  const found = await findDoubts(options);
  for (const [id, doubt] of found.doubts) {
    if (isLive(id)) {
      found.doubts.delete(id);
      continue;
    }
    if (doubt.decision === undefined && doubt.ageMs < abortAfterMs) continue;
    doubt.decision ??= await decide(log, id, "abort", [...doubt.prepared.keys()]);
    await endDoubt(options, doubt);
    const stillOn = [...doubt.prepared.keys()];
    logger.warn({ transaction: id, decision: doubt.decision, stillOn }, "recovered a transaction");
    if (stillOn.length === 0) found.doubts.delete(id);
  }
  await deleteDecisions(log, ended(oldCommits, found, isLive));
  await deleteOldAborts(log, ABORTS_KEPT_DAYS);
  return found;
}

/** Ends a decided transaction wherever it is prepared and can be reached; the rest stays in `prepared`. */
export async function endDoubt({ participants, ended }: RecoveryOptions, doubt: Doubt): Promise<void> {
  const { decision, prepared } = doubt;
  if (decision === undefined) throw new Error(`transaction ${doubt.id} is not decided`);
  const end = decision === "commit" ? "commit" : "rollback";
  for (const { name: participant, database } of participants) {
    const name = prepared.get(participant);
    if (name === undefined) continue;
    const isOver = await database.endPrepared(name, end).then(
      () => true,
      () => false,
    );
    if (isOver) prepared.delete(participant);
  }
  if (prepared.size === 0) ended(decision);
}

/** Commits that are prepared nowhere any more, and on no participant that could not be asked. */
function ended(commits: readonly OldCommit[], { doubts, unreachable }: Doubts, isLive: (id: string) => boolean) {
  return commits
    .filter(
      ({ id, participants }) =>
        !doubts.has(id) && !isLive(id) && !participants.some((one) => unreachable.includes(one)),
    )
    .map(({ id }) => id);
}
