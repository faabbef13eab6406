import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Part, partOfFile, partOfModule } from "./parts.ts";

/** Of a profile as V8 gives it: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile. */
export interface CpuProfile {
  nodes: readonly ProfileNode[];
  samples: readonly number[];
  /** Microseconds before each sample. */
  timeDeltas: readonly number[];
}

export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: readonly number[];
}

export type Shares = Partial<Record<Part, number>>;

const ROOT = `${pathToFileURL(join(resolve(import.meta.dirname, "../../.."), "x")).href.slice(0, -1)}`;

/** A frame's file from the repository's root; Node's own modules as "node:…"; "" for what has no file. */
export function pathOf(url: string): string {
  if (url.startsWith(ROOT)) return url.slice(ROOT.length);
  const packages = url.lastIndexOf("/node_modules/");
  if (packages !== -1) return url.slice(packages + 1);
  return url.startsWith("node:") ? url : "";
}

/** Frames that stand for no function: V8 gives them names in parentheses. */
function partOfMeta(functionName: string): Part | "idle" | undefined {
  if (functionName === "(idle)") return "idle";
  if (functionName === "(garbage collector)") return "gc";
  return functionName === "(program)" ? "io" : undefined;
}

/** Gives each node its part, from the root down: its own, else that of the nearest frame above it that has one. */
function partsOf(profile: CpuProfile, process: string): Map<number, Part | "idle"> {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const isChild = new Set(profile.nodes.flatMap(({ children = [] }) => children));
  const parts = new Map<number, Part | "idle">();
  const open = profile.nodes
    .filter(({ id }) => !isChild.has(id))
    .map((node) => ({ node, owner: undefined as Part | undefined, module: "" }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { callFrame, id, children = [] } = next.node;
    const path = pathOf(callFrame.url);
    const owner = partOfFile(path, process) ?? next.owner;
    // Of frames that nobody owns the outermost module that says something decides, as a callback of HTTP/2's does.
    const module =
      next.module !== "" && partOfModule(next.module, process) !== "io" ? next.module : path || next.module;
    parts.set(id, partOfMeta(callFrame.functionName) ?? owner ?? partOfModule(module, process));
    for (const child of children) open.push({ node: byId.get(child)!, owner, module });
  }
  return parts;
}

/**
 * Divides the busy time of a process among the parts.
 *
 * @param process Its name, as "edge": it decides what Node does for nobody in particular.
 * @returns shares that add up to 1; none when the process was idle all the time.
 */
export function attribute(profile: CpuProfile, process: string): Shares {
  const parts = partsOf(profile, process);
  const us: Shares = {};
  let busyUs = 0;
  profile.samples.forEach((id, index) => {
    const part = parts.get(id);
    // The time until the next sample is this one's; the last has none.
    const tookUs = Math.max(0, profile.timeDeltas[index + 1] ?? 0);
    if (part === undefined || part === "idle" || tookUs === 0) return;
    us[part] = (us[part] ?? 0) + tookUs;
    busyUs += tookUs;
  });
  if (busyUs === 0) return {};
  return Object.fromEntries(Object.entries(us).map(([part, time]) => [part, time / busyUs]));
}

/** Divides what a process used by /proc as its samples are divided: the parts add up to it. */
export function scale(shares: Shares, cpuUs: number): Shares {
  return Object.fromEntries(Object.entries(shares).map(([part, share]) => [part, share * cpuUs]));
}
