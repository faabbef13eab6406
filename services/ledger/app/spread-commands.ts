import { ReceiveTransferRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { create } from "@ferry/platform/codec";
import { type Database, type Queryable, sqlStateOf, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox } from "@ferry/platform/outbox";
import type { Account, AccountId } from "../domain/account.ts";
import type { Departure, Outcome } from "../domain/books.ts";
import { type Command, homeOf, referenceOf, type SettleHold } from "../domain/commands.ts";
import type { CarryOut } from "./carry-out.ts";
import type { ShardOf } from "./place-shards.ts";
import { type Side, settleBetween } from "./settle-between.ts";

/** One database of a ledger over several. */
export interface Shard {
  position: number;
  database: Database;
  outbox: Pick<Outbox, "add">;
  carryOut: CarryOut;
  store: Side["store"] & {
    /** Reads without a lock. Unknown ids are left out. */
    findAccounts(db: Queryable, ids: readonly AccountId[]): Promise<Map<AccountId, Account>>;
    /** Those that nobody has locked just now. */
    findFree(db: Queryable, ids: readonly AccountId[]): Promise<Set<AccountId>>;
  };
}

/** Runs work in one transaction over two shards, told by their positions; see platform/two-phase. */
export type RunOverTwo = <T>(
  positions: readonly number[],
  work: (transactions: ReadonlyMap<number, Transaction>) => Promise<T>,
) => Promise<T>;

interface Options {
  shards: readonly Shard[];
  shardOf: ShardOf;
  /** How postings between two shards are made: in one transaction over both, or, when undefined, by transit and a hand-over. */
  runOverTwo: RunOverTwo | undefined;
  /** Told when a lock was not given in time: it may be that of a transaction whose coordinator has died. */
  onBusy?: () => void;
}

/** Writes what follows from the outcomes, in the transaction of the shard that each command is keyed to. */
export type Alongside<Item> = (
  tx: Transaction,
  outbox: Pick<Outbox, "add">,
  items: readonly Item[],
  outcomes: readonly Outcome[],
) => Promise<void>;

/** Commands that one transaction carries out: in one shard, or between two. */
interface Group {
  from: number;
  to: number | undefined;
  indexes: number[];
}

const LOCK_TIMED_OUT = "55P03";

/**
 * Carries out sets of commands over shards: each shard's in a transaction of its own, side by side. A set
 * that fails in one shard may have been carried out in another; it is given again as a whole, and every
 * command gets the answer that it got before.
 *
 * A hold looks at a payee in another shard without a lock: a payee that closes afterwards is paid into
 * suspense, as it is in one database. A settle for a payee in another shard is a transaction over both,
 * or, by transit, a posting here and one there, the second brought by a message that leaves with the first.
 */
export function createSpreadCommands({ shards, shardOf, runOverTwo, onBusy }: Options) {
  /** Those of the accounts that do not lie in the shard itself. */
  async function readElsewhere(position: number, ids: readonly AccountId[]): Promise<Map<AccountId, Account>> {
    const wanted = new Map<number, Set<AccountId>>();
    for (const id of ids) {
      const other = shardOf(id);
      if (other !== position) wanted.set(other, (wanted.get(other) ?? new Set()).add(id));
    }
    const found = await Promise.all(
      [...wanted].map(([other, ids]) => shards[other]!.store.findAccounts(shards[other]!.database, [...ids])),
    );
    return new Map(found.flatMap((accounts) => [...accounts]));
  }

  /** The handler of one shard, for commands whose payees in other shards were read before. */
  function carryOutIn(position: number, elsewhere: ReadonlyMap<AccountId, Account>): CarryOut {
    const { carryOut, outbox } = shards[position]!;
    return (tx, commands, alongside) =>
      carryOut(
        tx,
        commands.map((command) => redirected(command, position, shardOf)),
        async (outcomes, changes) => {
          const handOvers = changes.departures.map((departure) => handOver(departure, position));
          await Promise.all([
            alongside?.(outcomes, changes),
            handOvers.length > 0 ? outbox.add(tx, handOvers) : undefined,
          ]);
        },
        elsewhere,
      );
  }

  async function run<Item>(
    group: Group,
    items: readonly Item[],
    commands: readonly Command[],
    alongside: Alongside<Item> | undefined,
  ) {
    const own = group.indexes.map((index) => commands[index]!);
    const ownItems = group.indexes.map((index) => items[index]!);
    const { database, outbox } = shards[group.from]!;
    if (group.to === undefined || runOverTwo === undefined) {
      const carryOut = carryOutIn(group.from, await readElsewhere(group.from, own.flatMap(payeeOfHold)));
      return database.transaction((tx) =>
        carryOut(tx, own, async (outcomes) => alongside?.(tx, outbox, ownItems, outcomes)),
      );
    }
    const { from, to } = group;
    return runOverTwo([from, to], (transactions) => {
      const side = (position: number): Side => ({
        ...{ position, store: shards[position]!.store, tx: transactions.get(position)! },
      });
      const [payers, payees] = [side(from), side(to)];
      // A group that spans two shards has settles alone.
      return settleBetween({ from: payers, to: payees }, own as SettleHold[], async (outcomes) =>
        alongside?.(payers.tx, outbox, ownItems, outcomes),
      );
    });
  }

  /** One account that is taken for longer must not keep those that came in one set with it. */
  async function runFree<Item>(
    group: Group,
    items: readonly Item[],
    commands: readonly Command[],
    alongside: Alongside<Item> | undefined,
  ) {
    const { database, store } = shards[group.from]!;
    const wanted = new Map(group.indexes.map((index) => [index, accountsIn(commands[index]!)]));
    const free = await store.findFree(database, [...new Set([...wanted.values()].flat())]);
    const isFree = (id: AccountId) => free.has(id) || shardOf(id) !== group.from;
    const indexes = group.indexes.filter((index) => wanted.get(index)?.every(isFree));
    if (indexes.length > 0 && indexes.length < group.indexes.length)
      await run({ ...group, indexes }, items, commands, alongside);
  }

  return {
    carryOutIn,
    readElsewhere,

    /**
     * @param commandOf The command of an item.
     * @returns the outcomes, in the order of the items.
     * @throws FerryError ACCOUNT_BUSY when a lock was not given in time: try the set again. What did not
     * need that lock was carried out, and answered where it wants an answer.
     */
    async carryOut<Item>(
      items: readonly Item[],
      commandOf: (item: Item) => Command,
      alongside?: Alongside<Item>,
    ): Promise<Outcome[]> {
      const commands = items.map(commandOf);
      const outcomes: Outcome[] = [];
      for (const groups of phasesOf(commands, shardOf, runOverTwo !== undefined)) {
        const ends = await Promise.allSettled(groups.map((group) => run(group, items, commands, alongside)));
        for (const [index, end] of ends.entries()) {
          if (end.status === "rejected" && sqlStateOf(end.reason) === LOCK_TIMED_OUT) {
            onBusy?.();
            if (groups[index]!.to === undefined) await runFree(groups[index]!, items, commands, alongside);
            throw accountBusy(end.reason);
          }
          if (end.status === "rejected") throw end.reason;
          for (const [at, outcome] of end.value.entries()) outcomes[groups[index]!.indexes[at]!] = outcome;
        }
      }
      return outcomes;
    },
  };
}

function payeeOfHold(command: Command): AccountId[] {
  return command.kind === "place-hold" && command.destinationAccountId !== undefined
    ? [command.destinationAccountId]
    : [];
}

/** The accounts that a command locks, if they lie in its shard. */
function accountsIn(command: Command): AccountId[] {
  const isPaid = command.kind === "settle-hold" && command.destination.kind === "account";
  return isPaid
    ? [homeOf(command), (command.destination as { accountId: AccountId }).accountId]
    : [homeOf(command), ...payeeOfHold(command)];
}

/** A settle for a payee in another shard goes by transit. */
function redirected(command: Command, position: number, shardOf: ShardOf): Command {
  if (command.kind !== "settle-hold" || command.destination.kind !== "account") return command;
  const { accountId } = command.destination;
  const peerShard = shardOf(accountId);
  return peerShard === position ? command : { ...command, destination: { kind: "shard", accountId, peerShard } };
}

function handOver({ reference, accountId, amountMinor, currency }: Departure, fromShard: number) {
  const amount = { currency, minorUnits: amountMinor };
  const message = create(ReceiveTransferRequestSchema, { reference, accountId, amount, fromShard });
  return { id: `${reference}:hand-over`, schema: ReceiveTransferRequestSchema, message };
}

/**
 * Cuts a set into phases of groups: within a phase the groups touch different transactions and run side by
 * side. What is about one transfer stays in order: a phase of one shard each, one of two, and so on.
 */
function phasesOf(commands: readonly Command[], shardOf: ShardOf, isTwoPhase: boolean): Group[][] {
  const phases: Map<string, Group>[] = [];
  const last = new Map<string, number>();
  for (const [index, command] of commands.entries()) {
    const from = shardOf(homeOf(command));
    const payee =
      command.kind === "settle-hold" &&
      command.destination.kind === "account" &&
      shardOf(command.destination.accountId);
    const to = isTwoPhase && payee !== false && payee !== from ? payee : undefined;
    let phase = last.get(referenceOf(command)) ?? 0;
    if ((phase % 2 === 1) !== (to !== undefined)) phase++;
    last.set(referenceOf(command), phase);
    while (phases.length <= phase) phases.push(new Map());
    const groups = phases[phase]!;
    const key = `${from}>${to ?? ""}`;
    const group = groups.get(key) ?? { from, to, indexes: [] };
    group.indexes.push(index);
    groups.set(key, group);
  }
  return phases.map((groups) => [...groups.values()]).filter((groups) => groups.length > 0);
}

function accountBusy(cause: unknown): FerryError {
  const message = "another transaction has the account and has not ended yet";
  return new FerryError("ACCOUNT_BUSY", message, { retryAfterMs: 1_000, cause });
}
