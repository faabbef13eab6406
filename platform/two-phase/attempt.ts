import type { OpenTransaction, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Decision, Participant } from "./types.ts";

/** One participant's part of a transaction. */
export interface Branch {
  /** It is prepared under this name. */
  name: string;
  participant: Participant;
  transaction: OpenTransaction;
}

/** What an attempt needs of its coordinator. */
export interface AttemptOptions {
  /** In the order in which they are begun. */
  participants: readonly Participant[];
  /** The name under which a branch is prepared. @param branch From 1. */
  nameOf(branch: number): string;
  /** Writes a decision to the log, or says that it was decided otherwise. Rejects when the log cannot be asked. */
  decide(decision: Decision): Promise<Decision>;
}

export type AttemptEnd<T> = { decision: "commit"; result: T; branches: Branch[] } | { decision: "unknown" };

/**
 * The first phase and the decision. After it, a commit is to be ended on each branch by the caller; what
 * is unknown is left to recovery, which asks the log.
 *
 * Where one could not prepare, the abort is written to the log before the others are taken back: its answer may
 * just have been lost, and then an operator who sees all of them prepared can have decided for the commit.
 *
 * @throws what the work, a participant or the abort by somebody else threw; all branches are then taken
 * back, or will be by recovery where that could not be done now.
 */
export async function attempt<T>(
  { participants, nameOf, decide }: AttemptOptions,
  work: (transactions: ReadonlyMap<string, Transaction>) => Promise<T>,
): Promise<AttemptEnd<T>> {
  const { branches, result } = await runWork(participants, nameOf, work);
  const failed = await prepare(branches);
  let decision: Decision;
  try {
    decision = await decide(failed === undefined ? "commit" : "abort");
  } catch {
    for (const { transaction } of branches) transaction.settled(false);
    if (failed !== undefined) throw explain(branches, failed.reason);
    return { decision: "unknown" };
  }
  if (decision === "commit") return { decision, result, branches };
  await Promise.all(branches.map(takeBack));
  if (failed !== undefined) throw explain(branches, failed.reason);
  throw new FerryError("UNAVAILABLE", "the transaction took too long and was rolled back");
}

async function runWork<T>(
  participants: readonly Participant[],
  nameOf: (branch: number) => string,
  work: (transactions: ReadonlyMap<string, Transaction>) => Promise<T>,
): Promise<{ branches: Branch[]; result: T }> {
  const branches: Branch[] = [];
  try {
    for (const [index, participant] of participants.entries())
      branches.push({ name: nameOf(index + 1), participant, transaction: await participant.database.begin() });
    const result = await work(new Map(branches.map((branch) => [branch.participant.name, branch.transaction.tx])));
    return { branches, result };
  } catch (error) {
    await Promise.all(branches.map(({ transaction }) => transaction.rollback()));
    throw explain(branches, error);
  }
}

/** Prepares all branches side by side. @returns the first that failed: it may be prepared all the same. */
async function prepare(branches: readonly Branch[]): Promise<PromiseRejectedResult | undefined> {
  const ends = await Promise.allSettled(branches.map(({ name, transaction }) => transaction.prepare(name)));
  await Promise.all(
    branches.map(({ transaction }, index) => (ends[index]!.status === "rejected" ? transaction.rollback() : undefined)),
  );
  return ends.find((end) => end.status === "rejected");
}

/** Rolls a prepared branch back; recovery does it when its participant is away. */
async function takeBack(branch: Branch): Promise<void> {
  await endBranch(branch, "rollback").catch(() => branch.transaction.settled(false));
}

/** Ends a prepared branch, on its own connection or, when that is lost, on another. It may have ended before. */
export async function endBranch({ name, participant, transaction }: Branch, end: "commit" | "rollback"): Promise<void> {
  await transaction.endPrepared(end).catch(() => participant.database.endPrepared(name, end));
  transaction.settled(end === "commit");
}

function explain(branches: readonly Branch[], error: unknown): unknown {
  for (const { transaction } of branches) {
    const cause = transaction.explain(error);
    if (cause !== undefined && cause !== error) return cause;
  }
  return error;
}
