import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Message } from "@bufbuild/protobuf";
import { hasEnded, type Saga, type SagaDefinition, type SagaInput } from "../index.ts";
import type { ChildOrder, SagaCommand } from "../moves.ts";
import type { Examples } from "./examples.ts";
import type { Fault, FaultKind } from "./faults.ts";
import { createStage, type Stage } from "./stage.ts";
import { createWorld, type InFlight, type World } from "./world.ts";

/** A saga that has not ended after so many happenings never will: it is tried for half a minute, with pauses between tries. */
const MAX_HAPPENINGS = 2_000;
/** Long enough for a few tries of each kind. */
const PARK_AFTER_MS = 25_000;
const MAX_RESUMES = 3;

export interface Run<State> {
  definition: SagaDefinition<State>;
  examples: Examples<State>;
  state: State;
  faults: readonly Fault[];
  /** Before which happening the member cancels; none when absent. */
  cancelAt?: number;
  /** Before which happening it comes to a server that does not know its version, and then to one that does. */
  parkAt?: number;
  /** An operator who finds it parked at its pivot undoes it, where others resume it. */
  undoes?: boolean;
  /** Replies come in the reverse of the order in which their commands were sent. */
  reversed?: boolean;
}

export interface RunEnd<State> {
  saga: Saga<State>;
  /** How often it was parked, and resumed once all was well. */
  parked: number;
  happenings: number;
  bitten: readonly boolean[];
}

/** A child as the run plays it. */
interface PlayedChild {
  step: string;
  fault: FaultKind | undefined;
  /** How many looks it takes to end. */
  looksLeft: number;
  outcome: "completed" | "undone";
  told: boolean;
  canceled: boolean;
}

/**
 * Plays one saga against receivers that keep the rules and a bus that does not, and holds the laws on the way.
 *
 * @throws AssertionError that says which law was broken.
 */
export function play<State>(run: Run<State>): RunEnd<State> {
  const { definition, examples, faults } = run;
  const stage = createStage(definition, run.state, {
    parkAfterMs: PARK_AFTER_MS,
    rows: faults.length < 2 && run.cancelAt === undefined && run.parkAt === undefined, // Half of what a run costs, and others lead through the same states.
  });
  const world = createWorld(examples, faults);
  const player = createPlayer(run, stage, world);
  let parked = 0;
  let happenings = 0;
  player.sent(stage.take({ kind: "started" }));
  for (; !hasEnded(stage.saga); happenings++) {
    assert.ok(happenings < MAX_HAPPENINGS, "it neither ends nor parks");
    if (happenings === run.cancelAt) player.sent(stage.take({ kind: "cancel" }));
    else if (happenings === run.parkAt && stage.saga.status !== "parked") {
      stage.park();
      player.sent(stage.take({ kind: "resume" }));
    } else if (player.hasArrivals()) player.nextArrival();
    else if (stage.saga.status !== "parked") player.timePasses();
    else {
      assert.ok(++parked <= MAX_RESUMES, "it parks although all is well again");
      const undoes = run.undoes && mayUndo(run, stage, world);
      if (!undoes || parked > 1) world.heal();
      player.sent(stage.take({ kind: undoes ? "undo" : "resume" }));
    }
  }
  checkEnd(run, stage, world);
  player.afterTheEnd();
  checkEnd(run, stage, world);
  return { saga: stage.saga, parked, happenings, bitten: faults.map((fault) => world.hasBitten(fault)) };
}

/** Operators undo where it can be ruled out, and give no wrong word: by the void's second time they have asked. */
function mayUndo<State>({ definition }: Run<State>, { saga }: Stage<State>, world: World<State>): boolean {
  const step = definition.steps[saga.step];
  if (step?.void === undefined || saga.waiting.for !== "operator") return false;
  return saga.waiting.role !== "void" || world.effectOf(step.name) !== "applied";
}

function createPlayer<State>({ definition, examples, reversed }: Run<State>, stage: Stage<State>, world: World<State>) {
  const arrivals: InFlight<State>[] = [];
  const late: InFlight<State>[] = [];
  /** Ends of children that are told once more, when the next time has passed. */
  const again: InFlight<State>[] = [];
  const asked = new Map<string, Message>();
  const heard: SagaInput[] = [];
  const children = new Map<string, PlayedChild>();
  const pivot = definition.steps.findIndex(({ kind }) => kind === "pivot");

  function sent({ commands, children: orders }: ReturnType<Stage<State>["take"]>): void {
    for (const command of commands) {
      checkCommand(command);
      const inFlight = world.receive(command);
      arrivals.push(...inFlight.filter(({ kind }) => kind === "reply"));
      late.push(...inFlight.filter(({ kind }) => kind === "command"));
    }
    for (const order of orders) carryOut(order);
  }

  function checkCommand({ id, step, role, exchange, ttlMs }: SagaCommand<State>): void {
    const { saga } = stage;
    const index = definition.steps.findIndex(({ name }) => name === step);
    const record = saga.steps[index];
    assert.equal(stage.commands.filter((each) => each.id === id).length, 1, `${id} was sent twice`);
    const registered = role === "ask" ? "running" : role === "undo" ? "undoing" : "unknown";
    if (!hasEnded(saga)) assert.equal(record?.status, registered, `${id} left before the saga's row knew of it`);
    if (role === "undo" && pivot !== -1) {
      const effect = world.effectOf(definition.steps[pivot]?.name ?? "");
      assert.notEqual(effect, "applied", `${id}: undone although the pivot was done`);
    }
    const expires = role === "ask" && (pivot === -1 || index < pivot);
    assert.equal(ttlMs !== undefined, expires, `${id} ${expires ? "never expires" : "expires"}`);
    const message = exchange.ask(saga);
    const key = `${step}:${role}:${JSON.stringify(saga.state, (_, value) => (typeof value === "bigint" ? `${value}n` : value))}`;
    const before = asked.get(key);
    if (before !== undefined) assert.ok(isDeepStrictEqual(message, before), `${id} asks something else than before`);
    asked.set(key, message);
  }

  function carryOut(order: ChildOrder<State>): void {
    const { id, step } = order;
    if (order.kind === "begin") {
      const underWay = [...children.values()].some((each) => each.step === step && !each.told);
      assert.ok(!children.has(id) && !underWay, `a second child of ${step} was begun`);
      const fault = world.childFault(step);
      const slow = fault === "slow" || fault === "past-pivot";
      const outcome = fault === "refused" || fault === "unavailable" ? "undone" : "completed";
      children.set(id, { step, fault, looksLeft: slow ? 3 : 0, outcome, told: false, canceled: false });
      order.child.begin({ id: stage.saga.id, state: stage.saga.state });
      if (!slow && fault !== "untold") tell(id, fault === "duplicate" ? 2 : 1);
      return;
    }
    const child = children.get(id);
    assert.ok(child !== undefined, `child ${id} was canceled before it was begun`);
    child.canceled = true;
    if (child.looksLeft === 0 || child.fault === "past-pivot") return;
    Object.assign(child, { looksLeft: 0, outcome: "undone" });
    tell(id, 1);
  }

  function tell(id: string, times: number): void {
    const child = children.get(id);
    if (child === undefined) return;
    const { step, outcome, fault, canceled } = child;
    const unneeded =
      stage.saga.turningBack && child.outcome === "completed" && child.looksLeft === 0 && fault === "slow";
    assert.ok(!unneeded || canceled, `child of ${step} was not canceled although its parent turned back`);
    if (outcome === "completed") world.setEffect(step, "applied");
    const example = examples.steps[step]?.child;
    const undone = fault === "unavailable" && !canceled ? example?.unavailable : example?.undone;
    const end = outcome === "completed" ? { outcome, state: example?.completed } : { outcome, ...undone };
    const input = stage.childEnd(step, end as { outcome: typeof outcome; state: unknown });
    child.told = true;
    if (input.kind !== "reply") return;
    for (let count = 0; count < times; count++) arrivals.push({ kind: "reply", step, message: input.reply });
    if (fault === "unavailable") again.push({ kind: "reply", step, message: input.reply });
  }

  function nextArrival(): void {
    const next = reversed ? arrivals.pop() : arrivals.shift();
    if (next?.kind !== "reply") return;
    const input: SagaInput = { kind: "reply", step: next.step, reply: next.message };
    heard.push(input);
    sent(stage.take(input));
  }

  /** What is due comes, and with it whatever was late. A child that was begun is looked at. */
  function timePasses(): void {
    for (const [id, child] of children) {
      if (child.told) continue;
      if (child.looksLeft > 0) child.looksLeft--;
      if (child.looksLeft === 0) tell(id, 1);
    }
    if (arrivals.length > 0) return;
    const repeated = again.splice(0);
    const due = late.filter((each) => each.kind === "command" && each.when === "late");
    sent(stage.timeOut());
    arrivals.unshift(...repeated);
    for (const each of due) {
      late.splice(late.indexOf(each), 1);
      if (each.kind === "command") arrivals.push(...world.arrive(each.command));
    }
  }

  /** Everything that was under way arrives, and everything that was heard comes again: an end stays as it is. */
  function afterTheEnd(): void {
    const { saga } = stage;
    const last = late.splice(0).flatMap((each) => (each.kind === "command" ? world.arrive(each.command) : []));
    const replies = [...arrivals.splice(0), ...last].flatMap((each): SagaInput[] =>
      each.kind === "reply" ? [{ kind: "reply", step: each.step, reply: each.message }] : [],
    );
    for (const input of [...replies, ...heard, { kind: "cancel" as const }, { kind: "timed-out" as const }]) {
      const { commands, children: orders } = stage.take(input);
      assert.ok(
        stage.saga === saga && commands.length + orders.length === 0,
        `it ended, and ${input.kind} changed that`,
      );
    }
  }

  return { sent, hasArrivals: () => arrivals.length > 0, nextArrival, timePasses, afterTheEnd };
}

/** An end is one thing or the other: all of it is done, or all that can be undone is undone. */
function checkEnd<State>({ definition }: Run<State>, { saga }: Stage<State>, { effectOf }: World<State>): void {
  const pivot = definition.steps.findIndex(({ kind }) => kind === "pivot");
  for (const [index, { name, undo }] of definition.steps.entries()) {
    const effect = effectOf(name);
    const { status } = saga.steps[index] ?? {};
    if (saga.status === "completed")
      assert.equal(effect, status === "not-needed" ? "none" : "applied", `completed, and ${name} is ${effect}`);
    else if (undo !== undefined) assert.notEqual(effect, "applied", `undone, and ${name} is still done`);
    else if (pivot !== -1 && index >= pivot)
      assert.notEqual(effect, "applied", `undone past its pivot: ${name} is done`);
  }
  if (saga.status === "undone") assert.ok(saga.failure !== undefined, "undone, and nobody knows why");
}
