import { type DescMessage, getOption, hasOption, type MessageShape } from "@bufbuild/protobuf";
import { message as messageOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { create } from "@ferry/platform/codec";
import {
  type Backoff,
  type Exchange,
  exchangeOf,
  type SagaDefinition,
  type Step,
  type TypedExchange,
  type WhenUnknown,
} from "./definition.ts";
import type { Role } from "./saga.ts";

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_RETRIES = 3;
const MAX_SIDE_BY_SIDE = 16;
/** In the order in which a saga comes to them. */
export const ROLES: readonly Role[] = ["ask", "undo", "inquire", "void"];
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** Pairs a command with its reply; both are typed where they are written, and closed in for the engine. */
export function exchange<State, Request extends DescMessage, Reply extends DescMessage>(
  typed: TypedExchange<State, Request, Reply>,
): Exchange<State> {
  return {
    request: typed.request,
    reply: typed.reply,
    ask: (saga) => create(typed.request, typed.ask(saga)),
    answer(reply, saga) {
      if (reply.$typeName !== typed.reply.typeName)
        throw new TypeError(`${reply.$typeName} is no reply to ${typed.request.typeName}`);
      return typed.answer(reply as MessageShape<Reply>, saga);
    },
  };
}

interface CommonOptions<State> {
  ask: Exchange<State>;
  /** Whether the step is needed at all, by what the saga knows when its turn comes. Default: always. */
  when?(state: State): boolean;
  /** What to do when nobody knows whether it is done. Default "ask-again": then it must be idempotent by its reference. */
  whenUnknown?: WhenUnknown<State>;
  /** Default 5,000. */
  timeoutMs?: number;
  /** Pauses between tries, its undo's included. Default: those of the engine. */
  backoff?: Backoff;
}

/** What a step says beside its name. */
export interface StepOptions<State> extends CommonOptions<State> {
  undo?: Exchange<State>;
  /** How often it is tried again before it is given up and undone. Default 3. Steps after the pivot say "until-done". */
  retries?: number | "until-done";
}

/** A step that is undone when a later one fails, or, after the pivot, retried until it is done. */
export function step<State>(name: string, options: StepOptions<State>): Step<State> {
  return { kind: "step", name, timeoutMs: DEFAULT_TIMEOUT_MS, retries: DEFAULT_RETRIES, ...options };
}

/** What the pivot says beside its name. It is tried until it is done or refused. */
export interface PivotOptions<State> extends CommonOptions<State> {
  /**
   * Makes sure that the pivot never happens, for an operator who undoes a saga that has stopped there: its
   * commands do not expire, and one may still be on its way. Its answer says what became of the pivot:
   * "refused": it has not happened and never will, also when its command comes later or again; so its receiver
   * leaves a tombstone. "done": it is too late, and the saga goes on. "unknown": it happens no more, and may have
   * happened. "unavailable": it still may. The last two are asked again until the saga parks; after an "unknown",
   * who undoes it once more gives the word that it has not happened.
   * Without it nobody can undo the pivot; the saga is resumed until its receiver answers.
   */
  void?: Exchange<State>;
}

/** The step after which nothing is taken back any more. */
export function pivot<State>(name: string, options: PivotOptions<State>): Step<State> {
  return { kind: "pivot", name, timeoutMs: DEFAULT_TIMEOUT_MS, retries: "until-done", ...options };
}

/** Steps that run side by side: see `parallel`. */
export interface SideBySide<State> {
  kind: "parallel";
  steps: readonly Step<State>[];
}

/**
 * Steps whose commands leave together, before the pivot. The saga goes on when all of them are done. When one
 * fails the others are undone too: at once those that are done, after their own answer or time-out those that
 * are not, and in the reverse order of the table.
 *
 * What their answers make of the state is put together one after another, so each builds on the state that it is given.
 */
export function parallel<State>(steps: readonly Step<State>[]): SideBySide<State> {
  return { kind: "parallel", steps };
}

/** Index of the pivot; the number of steps when there is none: then every step can be undone. */
export function pivotIndexOf(definition: SagaDefinition<unknown>): number {
  const index = definition.steps.findIndex(({ kind }) => kind === "pivot");
  return index === -1 ? definition.steps.length : index;
}

/**
 * Makes a saga of a table of steps, in their order.
 *
 * @param version Rises with each change of the table; keep the old table until no saga of it is left.
 * @throws Error that names the step and says what is wrong with the table.
 */
export function defineSaga<State>(
  name: string,
  version: number,
  table: readonly (Step<State> | SideBySide<State>)[],
): SagaDefinition<State> {
  const steps = table.flatMap((row, index) =>
    row.kind === "parallel" ? row.steps.map((each) => ({ ...each, group: index })) : [row],
  );
  const definition = { name, version, steps };
  const wrong = wrongWith(definition);
  if (wrong !== undefined) throw new Error(`saga ${name} version ${version}: ${wrong}`);
  return Object.freeze({ ...definition, steps: Object.freeze(steps) });
}

function wrongWith(definition: SagaDefinition<unknown>): string | undefined {
  const { name, version, steps } = definition;
  if (!NAME.test(name)) return "its name is not like send-money";
  if (!Number.isInteger(version) || version < 1) return "its version is not a whole number above zero";
  if (steps.length === 0) return "it has no steps";
  if (steps.filter(({ kind }) => kind === "pivot").length > 1) return "it has more than one pivot";
  const names = new Set<string>();
  const sideBySide = Map.groupBy(steps, ({ group }) => group);
  sideBySide.delete(undefined);
  for (const { length } of sideBySide.values()) {
    if (length < 2) return "fewer than two steps run side by side";
    if (length > MAX_SIDE_BY_SIDE) return `more than ${MAX_SIDE_BY_SIDE} steps run side by side`;
  }
  for (const [index, each] of steps.entries()) {
    if (names.has(each.name)) return `step ${each.name}: the name is used twice`;
    names.add(each.name);
    const wrong = wrongWithStep(each, index > pivotIndexOf(definition)) ?? wrongWithExchanges(each);
    if (wrong !== undefined) return `step ${each.name}: ${wrong}`;
  }
  return undefined;
}

function wrongWithStep(each: Step<unknown>, afterPivot: boolean): string | undefined {
  const untilDone = each.retries === "until-done";
  if (!NAME.test(each.name)) return "its name is not like place-hold";
  if (!Number.isInteger(each.timeoutMs) || each.timeoutMs < 1) return "timeoutMs is not a whole number above zero";
  if (each.retries !== "until-done" && (!Number.isInteger(each.retries) || each.retries < 0))
    return "retries is neither a whole number nor until-done";
  const { backoff } = each;
  if (backoff !== undefined && !(backoff.firstMs > 0 && backoff.maxMs >= backoff.firstMs))
    return "its backoff has no first pause above zero, or a longest one below it";
  if (each.kind !== "pivot" && each.void !== undefined) return "only a pivot is voided, other steps are undone";
  if (each.kind === "pivot" && each.group !== undefined) return "a pivot cannot run side by side with others";
  if (each.kind === "pivot") return each.undo === undefined ? undefined : "a pivot has no undo";
  if (each.group !== undefined && afterPivot) return "it comes after the pivot and cannot run side by side with others";
  if (afterPivot && each.undo !== undefined) return "it comes after the pivot and cannot be undone";
  if (afterPivot && !untilDone) return "it comes after the pivot: its retries are until-done";
  if (!afterPivot && untilDone) return "it comes before the pivot: its retries are limited";
  return undefined;
}

/** Replies of one step are told apart by their type, and commands go to the topic of their type. */
function wrongWithExchanges(each: Step<unknown>): string | undefined {
  const { child } = each;
  const exchanges = ROLES.flatMap((role) => exchangeOf(each, role) ?? []);
  const replies = new Set(exchanges.map(({ reply }) => reply.typeName));
  if (replies.size < exchanges.length) return "two of its exchanges have the same type of reply";
  for (const { request } of child === undefined ? exchanges : exchanges.slice(1))
    if (!hasOption(request, messageOption) || getOption(request, messageOption).topic === "")
      return `${request.typeName} names no topic`;
  return undefined;
}
