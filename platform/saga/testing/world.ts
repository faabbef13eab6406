import type { Message } from "@bufbuild/protobuf";
import type { SagaCommand } from "../index.ts";
import type { Examples, Replies } from "./examples.ts";
import type { Fault } from "./faults.ts";

/** What a step's receiver holds. undone: taken back, or told to before it came; it refuses what comes later. */
export type Effect = "none" | "applied" | "refused" | "undone";

/** A reply that is on its way, or a command that has not arrived yet. */
export type InFlight<State> =
  | { kind: "reply"; step: string; message: Message }
  | { kind: "command"; command: SagaCommand<State>; when: "late" | "last" };

/** The receivers of all steps, each idempotent by key as the rules ask of them, and what goes wrong with them. */
export function createWorld<State>(examples: Examples<State>, given: readonly Fault[]) {
  const effects = new Map<string, Effect>();
  let faults = given.map((fault) => ({ ...fault, fault, left: fault.times }));
  const bitten = new Set<Fault>();

  function repliesOf({ step, role }: SagaCommand<State>): Replies {
    const replies = examples.steps[step]?.[role];
    if (replies === undefined) throw new Error(`step ${step} has no example of ${role}`);
    return replies;
  }

  const effectOf = (step: string): Effect => effects.get(step) ?? "none";

  /** What the receiver says by itself, having done what it is told. Undefined: there is no message for it. */
  function carriedOut(command: SagaCommand<State>): Message | undefined {
    const replies = repliesOf(command);
    const { step, role } = command;
    const effect = effectOf(step);
    if (role === "undo") {
      effects.set(step, "undone");
      return replies.done;
    }
    const refused = replies.refused === "never" ? undefined : replies.refused;
    if (role === "void" && effect === "none") effects.set(step, "undone"); // A tombstone: what comes later is refused.
    if (role === "void") return effect === "applied" ? replies.done : refused;
    if (effect === "undone" || effect === "refused") return refused;
    if (effect === "applied") return replies.done;
    if (role === "inquire") return replies.notFound ?? replies.unknown;
    effects.set(step, "applied");
    return replies.done;
  }

  function faultFor({ step, role }: Pick<SagaCommand<State>, "step" | "role">) {
    const found = faults.find((fault) => fault.step === step && fault.role === role && fault.left > 0);
    if (found === undefined) return undefined;
    found.left--;
    bitten.add(found.fault);
    return found;
  }

  function receive(command: SagaCommand<State>): InFlight<State>[] {
    const { step, role } = command;
    const say = (message: Message | undefined | "never"): InFlight<State>[] =>
      message === undefined || message === "never" ? [] : [{ kind: "reply", step, message }];
    const fault = faultFor(command);
    const replies = repliesOf(command);
    const settled = role === "ask" && effectOf(step) !== "none"; // Its receiver remembers: no new verdict.
    switch (fault?.kind) {
      case undefined:
        return say(carriedOut(command));
      case "refused":
        if (role !== "undo" && effectOf(step) !== "none") return say(carriedOut(command)); // Nobody lies.
        if (role !== "undo") effects.set(step, "refused");
        return say(replies.refused);
      case "unavailable":
        return say(settled ? carriedOut(command) : replies.unavailable);
      case "unknown-done":
        carriedOut(command);
        return say(replies.unknown);
      case "unknown-undone":
        // Whoever cannot tell what was done before lets nothing be done from then on.
        if (role === "void" && effectOf(step) === "none") effects.set(step, "undone");
        return say(replies.unknown);
      case "silent":
        return [];
      case "silent-done":
        carriedOut(command);
        return [];
      case "duplicate":
        return [...say(carriedOut(command)), ...say(carriedOut(command))];
      case "late":
      case "last":
        return [{ kind: "command", command, when: fault.kind }];
      default:
        return say(carriedOut(command));
    }
  }

  return {
    receive,
    /**
     * A command that was under way arrives. Where there is an undo, what was refused at a later attempt may be
     * taken now; a pivot's receiver, and one after it, must remember its verdict.
     */
    arrive(command: SagaCommand<State>): InFlight<State>[] {
      const { step, role } = command;
      const mayForget = role === "ask" && examples.steps[step]?.undo !== undefined;
      if (mayForget && effectOf(step) === "refused") effects.set(step, "none");
      const message = carriedOut(command);
      return message === undefined ? [] : [{ kind: "reply", step: command.step, message }];
    },
    effectOf,
    setEffect: (step: string, effect: Effect) => void effects.set(step, effect),
    /** What goes wrong with the saga that a step begins now. */
    childFault: (step: string) => faultFor({ step, role: "ask" })?.kind,
    /** Whether each fault has befallen something. */
    hasBitten: (fault: Fault) => bitten.has(fault),
    /** All is well from now on, as after an operator has seen to it. */
    heal(): void {
      faults = [];
      for (const [step, effect] of effects) if (effect === "refused") effects.set(step, "none");
    },
  };
}

export type World<State> = ReturnType<typeof createWorld<State>>;
