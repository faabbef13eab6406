import { counter } from "./metrics.ts";

/** Something that looks for what was left behind and brings it on its way again. */
export interface Sweep {
  /** As "bank-calls". */
  readonly name: string;
  /** What it looks for, a sentence. */
  readonly description: string;
  /** Things that it has brought on their way again since the process started. */
  readonly moved: number;
}

const known = new Map<string, { name: string; description: string; moved: number }>();

/** Names a sweeper of this process, once. @returns counts what it has brought on its way again. */
export function sweep(name: string, description: string): (count: number) => void {
  const entry = { name, description, moved: 0 };
  if (known.has(name)) throw new Error(`there are two sweepers with the name ${name}`);
  known.set(name, entry);
  return (count) => {
    entry.moved += count;
  };
}

/** The sweepers of this process, by name. */
export function sweepsOfProcess(): Sweep[] {
  return [...known.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

counter("ferry_sweeps_moved_total", "Things left behind that a sweeper has brought on their way again.", [
  "sweep",
]).from(() => sweepsOfProcess().map(({ name, moved }) => ({ labels: { sweep: name }, value: moved })));
