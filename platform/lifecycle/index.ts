export { type ProbeOptions, startProbes } from "./probes.ts";
export { type Component, type ProcessOptions, runProcess } from "./process.ts";
