import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { type Holding, type Question, type Started, TARGET, type TargetOptions } from "./target.ts";

export interface Besieged extends Started {
  /** Connections that are open. One question at a time. */
  connections(): Promise<number>;
  /** What the process holds, after its garbage is collected. */
  holding(): Promise<Holding>;
}

/** Starts the target in a process of its own, which ends with the test. */
export async function startBesieged(context: TestContext, options: TargetOptions): Promise<Besieged> {
  const child = fork(TARGET, [JSON.stringify(options)], {
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  context.after(() => end(child));
  const [started] = (await once(child, "message")) as [Started];
  const ask = async <Answer>(question: Question): Promise<Answer> => {
    const answer = once(child, "message");
    child.send(question);
    return (await answer)[0];
  };
  return { ...started, connections: () => ask<number>("connections"), holding: () => ask<Holding>("holding") };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, "exit");
  child.disconnect();
  await exited;
}
