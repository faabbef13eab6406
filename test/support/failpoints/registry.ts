// What a process knows of its failpoints: which it has passed, and at which it is to die.
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** At which passing of a point a process dies, counted from 1. */
export interface Arm {
  point: string;
  nth: number;
}

export interface RegistryOptions {
  /** As "transfer". */
  process: string;
  /** Folder that is shared with whoever controls: arms for the next start, and who died where. */
  directory: string;
  /** Port on 127.0.0.1 of whoever controls. */
  port: number;
}

/** File of the arm that a process of this name takes at its start. */
export const armFile = (directory: string, process: string) => join(directory, `${process}.arm.json`);
/** File with a line for each death: process, tab, point. */
export const hitsFile = (directory: string) => join(directory, "hits.tsv");

export interface Registry {
  /** Counts a passing, and ends the process with SIGKILL when it is the one that was asked for. */
  pass(point: string): void;
}

/** Opens the registry of this process, and connects it with whoever controls it. */
export function openRegistry({ process: name, directory, port }: RegistryOptions): Registry {
  const passed = new Map<string, number>();
  const file = armFile(directory, name);
  let armed: Arm | undefined;
  if (existsSync(file)) {
    armed = JSON.parse(readFileSync(file, "utf8")) as Arm;
    rmSync(file); // It is for this life alone.
  }

  const socket = connect({ port, host: "127.0.0.1" });
  const say = (message: object) => void socket.write(`${JSON.stringify(message)}\n`);
  socket.on("error", () => {}); // Without anybody who controls it the process lives on as if there were no failpoints.
  socket.unref();
  say({ process: name, pid: process.pid });
  const lines = createInterface({ input: socket });
  lines.on("error", () => {});
  lines.on("line", (line) => {
    armed = (JSON.parse(line) as { arm?: Arm }).arm;
  });

  return {
    pass(point) {
      const count = (passed.get(point) ?? 0) + 1;
      passed.set(point, count);
      if (count === 1) say({ point });
      if (armed?.point !== point) return;
      armed.nth--;
      if (armed.nth > 0) return;
      appendFileSync(hitsFile(directory), `${name}\t${point}\n`);
      process.kill(process.pid, "SIGKILL");
    },
  };
}
