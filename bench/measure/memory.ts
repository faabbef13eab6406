import { proportionalSizeOf } from "../../test/support/processes.ts";
import { processesOf, type Roots } from "./cpu.ts";

const MEBIBYTE = 1_048_576;

/** Memory by name in MiB: proportional set sizes, so that what processes share counts once. PostgreSQL's backends are one figure. */
export function readMemoryMiB(roots: Roots): Record<string, number> {
  const memory: Record<string, number> = {};
  for (const { name, pid } of processesOf(roots)) {
    const root = name.split(":")[0]!;
    memory[root] = (memory[root] ?? 0) + proportionalSizeOf(pid) / MEBIBYTE;
  }
  return memory;
}
