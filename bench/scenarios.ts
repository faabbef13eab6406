import type { Scenario } from "./scenario.ts";

/** Every scenario in the order of a whole run. Each is imported when it is picked, so that --help costs nothing. */
export const SCENARIOS: Record<string, () => Promise<Scenario>> = {};
