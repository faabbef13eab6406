import { type DescMessage, getOption, hasOption, type MessageShape } from "@bufbuild/protobuf";
import { message as messageOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Exchange, SagaDefinition, Step, TypedExchange } from "./definition.ts";

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_RETRIES = 3;
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

/** What a step says beside its name. */
export interface StepOptions<State> {
  ask: Exchange<State>;
  undo?: Exchange<State>;
  /** Whether the step is needed at all, by what the saga knows when its turn comes. Default: always. */
  when?(state: State): boolean;
  /** Default 5,000. */
  timeoutMs?: number;
  /** Default 3. Steps after the pivot say "until-done". */
  retries?: number | "until-done";
}

/** A step that is undone when a later one fails, or, after the pivot, retried until it is done. */
export function step<State>(name: string, options: StepOptions<State>): Step<State> {
  return { kind: "step", name, timeoutMs: DEFAULT_TIMEOUT_MS, retries: DEFAULT_RETRIES, ...options };
}

/** What the pivot says beside its name. */
export interface PivotOptions<State> {
  ask: Exchange<State>;
  /** Without it the same command is sent again when its outcome is not known: it must be idempotent by its reference. */
  whenUnknown?: Exchange<State>;
  /** Whether it is asked at all, by what the saga knows when its turn comes. Default: always. */
  when?(state: State): boolean;
  /** Default 5,000. */
  timeoutMs?: number;
}

/** The step after which nothing is taken back any more. */
export function pivot<State>(name: string, options: PivotOptions<State>): Step<State> {
  return { kind: "pivot", name, timeoutMs: DEFAULT_TIMEOUT_MS, retries: "until-done", ...options };
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
export function defineSaga<State>(name: string, version: number, steps: readonly Step<State>[]): SagaDefinition<State> {
  const definition = { name, version, steps };
  const wrong = wrongWith(definition);
  if (wrong !== undefined) throw new Error(`saga ${name} version ${version}: ${wrong}`);
  return Object.freeze({ ...definition, steps: Object.freeze([...steps]) });
}

function wrongWith(definition: SagaDefinition<unknown>): string | undefined {
  const { name, version, steps } = definition;
  if (!NAME.test(name)) return "its name is not like send-money";
  if (!Number.isInteger(version) || version < 1) return "its version is not a whole number above zero";
  if (steps.length === 0) return "it has no steps";
  if (steps.filter(({ kind }) => kind === "pivot").length > 1) return "it has more than one pivot";
  const names = new Set<string>();
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
  if (each.kind === "pivot") return each.undo === undefined ? undefined : "a pivot has no undo";
  if (each.whenUnknown !== undefined) return "only a pivot has whenUnknown; other steps are asked again";
  if (afterPivot && each.undo !== undefined) return "it comes after the pivot and cannot be undone";
  if (afterPivot && !untilDone) return "it comes after the pivot: its retries are until-done";
  if (!afterPivot && untilDone) return "it comes before the pivot: its retries are limited";
  return undefined;
}

/** Replies of one step are told apart by their type, and commands go to the topic of their type. */
function wrongWithExchanges({ ask, child, undo, whenUnknown }: Step<unknown>): string | undefined {
  const exchanges = [ask, undo, whenUnknown].filter((each) => each !== undefined);
  const replies = new Set(exchanges.map(({ reply }) => reply.typeName));
  if (replies.size < exchanges.length) return "two of its exchanges have the same type of reply";
  for (const { request } of child === undefined ? exchanges : exchanges.slice(1))
    if (!hasOption(request, messageOption) || getOption(request, messageOption).topic === "")
      return `${request.typeName} names no topic`;
  return undefined;
}
