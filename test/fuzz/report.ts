import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** How often an operation was answered with each status, by "POST /v1/transfers". */
export type Calls = ReadonlyMap<string, ReadonlyMap<number, number>>;

interface Recorder {
  label: string;
  /** Absent where nothing was tried. */
  cases?: Record<string, { value: { method: string; path: string } }>;
  interactions?: Record<string, { response: { status_code: number } | null } | undefined>;
}

/** Reads schemathesis's events, one JSON a line: every request, with the operation it was made for. */
export async function readReport(file: string): Promise<Calls> {
  const calls = new Map<string, Map<number, number>>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const event: { ScenarioFinished?: { recorder: Recorder } } = JSON.parse(line);
    const recorder = event.ScenarioFinished?.recorder;
    if (recorder === undefined) continue;
    for (const [id, { value }] of Object.entries(recorder.cases ?? {})) {
      const status = recorder.interactions?.[id]?.response?.status_code;
      if (status === undefined) continue;
      const name = `${value.method} ${value.path}`;
      const byStatus = calls.get(name) ?? new Map<number, number>();
      calls.set(name, byStatus.set(status, (byStatus.get(status) ?? 0) + 1));
    }
  }
  return calls;
}

interface OpenApi {
  paths: Record<string, Record<string, { operationId: string; security: unknown[] }>>;
}

/**
 * Holds that every documented operation was called, and let in: an operation that was answered 401 and 403 alone was
 * not tried at all.
 */
export function summaryOf(document: unknown, calls: Calls, only?: string) {
  const lines: string[] = [];
  let [passed, failed] = [0, 0];
  for (const [path, item] of Object.entries((document as OpenApi).paths))
    for (const [method, { operationId }] of Object.entries(item)) {
      if (only !== undefined && only !== operationId) continue;
      const byStatus = calls.get(`${method.toUpperCase()} ${path}`) ?? new Map<number, number>();
      const entries = [...byStatus].sort(([a], [b]) => a - b);
      const isTried = entries.some(([status]) => status !== 401 && status !== 403 && status !== 405 && status < 500);
      if (isTried) passed++;
      else failed++;
      const told = entries.map(([status, count]) => `${status} ${count}x`).join(", ");
      lines.push(`${isTried ? "ok" : "NOT TRIED"}: ${operationId} (${told || "never called"})`);
    }
  return { lines, passed, failed };
}
