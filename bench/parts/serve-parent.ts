import type { Question, Reply } from "./child.ts";

type Commands = Record<string, (argument: never) => unknown>;

/** The child's side of `Child`: answers each command, and ends the process when its parent is gone or done with it. */
export function serveParent(commands: Commands): void {
  const answer = async ({ number, command, argument }: Question): Promise<Reply> => {
    try {
      const carryOut = commands[command];
      if (carryOut === undefined) throw new Error(`there is no command ${command}`);
      return { number, result: await carryOut(argument as never) };
    } catch (error) {
      return { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on("message", (question: Question) => void answer(question).then((reply) => process.send?.(reply)));
  process.on("SIGINT", () => {}); // Ctrl-C in a terminal reaches the whole group: the bench ends in order.
  process.on("disconnect", () => process.exit(0));
}
