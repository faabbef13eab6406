import { setTimeout as delay } from "node:timers/promises";
import { type Database, isLostRace, newUuid, type Transaction } from "@ferry/platform/db";
import { FerryError, fromUnknown } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import { attempt, type Branch, endBranch } from "./attempt.ts";
import { Ends } from "./ends.ts";
import { showCoordinator } from "./metrics.ts";
import { type TransactionNames, transactionNames } from "./names.ts";
import { endDoubt, findDoubts, type RecoveryOptions, recoverOnce, toInDoubt, toList } from "./recovery.ts";
import { Slots } from "./slots.ts";
import { decide, insertAudit, readLogId, readPreparedLimit, tryLock } from "./store.ts";
import type {
  Coordinator,
  Decision,
  InDoubtList,
  InDoubtTransaction,
  OperatorDecision,
  Participant,
  TwoPhaseStats,
} from "./types.ts";

export interface CoordinatorOptions {
  /** As "ledger": goes into the names of transactions. 1 to 40 characters of [a-z0-9-]. */
  name: string;
  /** Where the log lies: migrated with `twoPhaseMigrations`, with synchronous_commit on. */
  log: Database;
  /** In the order in which they are begun and locked. */
  participants: readonly Participant[];
  logger: Logger;
  /** Transactions over several databases under way here at once. Each participant must be able to hold as many prepared, from all processes together. Default 16. */
  maxOpen?: number;
  /** Callers that may wait for their turn; one more is refused with OVERLOADED. Default 1,000. */
  maxWaiting?: number;
  /** Prepared and not decided for so long: rolled back, in milliseconds. A coordinator that is slower is not in danger, it only has to begin again. Default 5,000. */
  abortAfterMs?: number;
  /** How often it is looked for what others left, in milliseconds. Default 10,000; ten times as often while something is in doubt. */
  recoverEveryMs?: number;
}

const ATTEMPTS = 3;
/** How long the log is asked again when the answer to a decision was lost. */
const DECIDE_TRIES = 4;
const DECIDE_PAUSE_MS = 100;
const START_RETRY_MS = 500;

class TwoPhaseCoordinator implements Coordinator {
  readonly name = "two-phase";
  readonly #options: Required<CoordinatorOptions>;
  readonly #slots: Slots;
  readonly #live = new Set<string>();
  readonly #unfinished = new Map<string, readonly Branch[]>();
  readonly #stopping = new AbortController();
  #names: TransactionNames | undefined;
  #hide = () => {};
  readonly #ends: Ends;
  #looping: Promise<void> | undefined;
  #wake = Promise.withResolvers<void>();
  readonly #counts = {
    ...{ committed: 0, aborted: 0, onePhase: 0, recoveredCommits: 0, recoveredAborts: 0, unknownOutcomes: 0 },
    ...{ inDoubt: 0, oldestInDoubtMs: 0 },
  };

  constructor(options: CoordinatorOptions) {
    const defaults = { maxOpen: 16, maxWaiting: 1_000, abortAfterMs: 5_000, recoverEveryMs: 10_000 };
    this.#options = { ...defaults, ...options };
    const names = new Set(options.participants.map(({ name }) => name));
    if (names.size !== options.participants.length) throw new Error("two participants have the same name");
    this.#ends = new Ends(options.log);
    this.#slots = new Slots(this.#options.maxOpen, this.#options.maxWaiting);
  }

  async run<T>(
    names: readonly string[],
    work: (transactions: ReadonlyMap<string, Transaction>) => Promise<T>,
  ): Promise<T> {
    const participants = this.#options.participants.filter(({ name }) => names.includes(name));
    const [first] = participants;
    if (first === undefined || participants.length !== names.length)
      throw new Error(`participants are unknown or named twice: ${names.join(", ")}`);
    if (participants.length === 1) {
      const result = await first.database.transaction((tx) => work(new Map([[first.name, tx]])));
      this.#counts.onePhase++;
      return result;
    }
    return this.#slots.use(async () => {
      for (let count = 1; ; count++) {
        try {
          return await this.#attempt(participants, work);
        } catch (error) {
          this.#counts.aborted++;
          if (count >= ATTEMPTS || !isLostRace(error)) throw error;
        }
      }
    });
  }

  async #attempt<T>(
    participants: readonly Participant[],
    work: (transactions: ReadonlyMap<string, Transaction>) => Promise<T>,
  ): Promise<T> {
    const id = newUuid();
    const names = this.#knownNames();
    const nameOf = (branch: number) => names.nameOf(id, branch, participants.length);
    this.#live.add(id);
    try {
      const end = await attempt(
        { participants, nameOf, decide: (decision) => this.#decide(id, decision, participants) },
        work,
      );
      if (end.decision === "unknown") {
        this.#counts.unknownOutcomes++;
        this.#wake.resolve();
        throw new FerryError("UNAVAILABLE", "the outcome of the transaction is not known yet");
      }
      this.#counts.committed++;
      await this.#finish(id, end.branches);
      return end.result;
    } finally {
      if (!this.#unfinished.has(id)) this.#live.delete(id);
    }
  }

  /** Writes a decision until it is known to be written, or to be decided otherwise. */
  async #decide(id: string, decision: Decision, participants: readonly Participant[]): Promise<Decision> {
    const names = participants.map(({ name }) => name);
    for (let count = 1; ; count++) {
      try {
        return await decide(this.#options.log, id, decision, names);
      } catch (error) {
        if (count >= DECIDE_TRIES) throw error;
        await delay(DECIDE_PAUSE_MS * 2 ** count);
      }
    }
  }

  /** The second phase: ends what can be ended now, the rest in the background. */
  async #finish(id: string, branches: readonly Branch[]): Promise<void> {
    const left: Branch[] = [];
    await Promise.all(
      branches.map(async (branch) => {
        try {
          await endBranch(branch, "commit");
        } catch (error) {
          left.push(branch);
          const fields = { transaction: id, participant: branch.participant.name, error: String(error) };
          this.#options.logger.warn(fields, "a decided transaction waits for its database");
        }
      }),
    );
    if (left.length > 0) {
      this.#unfinished.set(id, left);
      this.#wake.resolve();
      return;
    }
    this.#unfinished.delete(id);
    this.#live.delete(id);
    this.#ends.add(id);
  }

  #knownNames(): TransactionNames {
    if (this.#names === undefined) throw new FerryError("UNAVAILABLE", "the coordinator has not started yet");
    return this.#names;
  }

  #recovery(): RecoveryOptions {
    const { log, participants, abortAfterMs, logger } = this.#options;
    const ended = (decision: Decision) => {
      if (decision === "commit") this.#counts.recoveredCommits++;
      else this.#counts.recoveredAborts++;
    };
    const isLive = (id: string) => this.#live.has(id);
    return { log, participants, names: this.#knownNames(), abortAfterMs, isLive, ended, logger };
  }

  async recover(): Promise<boolean> {
    const { log, name } = this.#options;
    const recovery = this.#recovery();
    const session = await log.session();
    try {
      if (!(await tryLock(session, name))) return false;
      const { doubts } = await recoverOnce(recovery);
      this.#counts.inDoubt = doubts.size;
      this.#counts.oldestInDoubtMs = Math.max(0, ...[...doubts.values()].map(({ ageMs }) => ageMs));
      return true;
    } finally {
      await session.release();
    }
  }

  lookSoon(): void {
    this.#wake.resolve();
  }

  async listInDoubt(): Promise<InDoubtList> {
    return toList(await findDoubts(this.#recovery()));
  }

  async resolve(id: string, decision: Decision, { operatorId, reason }: OperatorDecision): Promise<InDoubtTransaction> {
    const recovery = this.#recovery();
    const doubt = (await findDoubts(recovery)).doubts.get(id);
    if (doubt === undefined) throw new FerryError("NOT_FOUND", "no such transaction is prepared anywhere");
    const isWhole = doubt.prepared.size === doubt.participantCount;
    if (decision === "commit" && doubt.decision === undefined && !isWhole)
      throw new FerryError("TRANSACTION_NOT_PREPARED", "the transaction is not prepared on all its databases");
    const before = toInDoubt(doubt);
    doubt.decision = await this.#options.log.transaction(async (tx) => {
      await insertAudit(tx, { operatorId, action: decision, reason, before });
      return decide(tx, id, decision, before.preparedOn);
    });
    if (doubt.decision !== decision)
      throw new FerryError("TRANSACTION_DECIDED", `the transaction was decided before: ${doubt.decision}`);
    await endDoubt(recovery, doubt);
    return toInDoubt(doubt);
  }

  stats(): TwoPhaseStats {
    const { taken: open, waiting } = this.#slots;
    return { open, waiting, unfinished: this.#unfinished.size, ...this.#counts };
  }

  /**
   * Waits for the log and the participants, and ends what an earlier life left.
   * @throws Error when a participant cannot hold transactions prepared.
   */
  async start(): Promise<void> {
    const { log, name, participants, maxOpen, logger } = this.#options;
    const logId = await this.#whenAvailable(() => readLogId(log));
    for (const { name: participant, database } of participants) {
      const limit = await this.#whenAvailable(() => readPreparedLimit(database));
      if (limit === undefined) continue;
      if (limit === 0)
        throw new Error(`max_prepared_transactions is 0 on ${participant}: two-phase commit needs it above zero`);
      if (limit < maxOpen)
        logger.warn({ participant, limit, maxOpen }, "max_prepared_transactions is below what may be open here");
    }
    if (logId === undefined) return;
    this.#names = transactionNames(name, logId);
    this.#hide = showCoordinator(name, () => this.stats());
    this.#looping = this.#loop();
  }

  /** undefined: the process stops before it is there. */
  async #whenAvailable<T>(ask: () => Promise<T>): Promise<T | undefined> {
    while (!this.#stopping.signal.aborted) {
      try {
        return await ask();
      } catch (error) {
        if (!fromUnknown(error).retryable) throw error;
        this.#options.logger.warn({ error: String(error) }, "two-phase commit waits for a database");
        await this.#pause(START_RETRY_MS);
      }
    }
    return undefined;
  }

  async #loop(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = Promise.withResolvers();
      await this.recover().catch((error: unknown) => {
        this.#options.logger.warn({ error: String(error) }, "recovery could not be done now");
      });
      for (const [id, branches] of this.#unfinished) await this.#finish(id, branches);
      const isBusy = this.#counts.inDoubt > 0 || this.#unfinished.size > 0;
      const resting = new AbortController();
      // What has just happened to be in doubt is looked at soon, but not in a busy loop.
      await this.#pause(this.#options.recoverEveryMs / 10);
      if (!isBusy && !this.#stopping.signal.aborted) {
        const rested = delay(this.#options.recoverEveryMs * 0.9, undefined, { signal: resting.signal, ref: false });
        await Promise.race([this.#wake.promise, rested]).catch(() => {});
      }
      resting.abort();
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** Tries once more to end what is decided; what is left is in the log for the next life. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#hide();
    this.#wake.resolve();
    await this.#looping;
    for (const [id, branches] of this.#unfinished) await this.#finish(id, branches);
    await this.#ends.flush();
  }

  unready(): string | undefined {
    return this.#names === undefined ? "not started" : undefined;
  }
}

/** A coordinator of transactions over several databases, with a log of its own: see README.md. */
export function createCoordinator(
  options: CoordinatorOptions,
): Coordinator & { start(): Promise<void>; stop(): Promise<void> } {
  return new TwoPhaseCoordinator(options);
}
