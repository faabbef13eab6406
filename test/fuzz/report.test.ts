import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readReport, summaryOf } from "./report.ts";

const operation = (operationId: string) => ({ operationId, security: [] });
const DOCUMENT = {
  paths: {
    "/v1/a": { get: operation("A_Get"), post: operation("A_Make") },
    "/v1/b": { get: operation("B_Get") },
    "/v1/c": { get: operation("C_Get") },
  },
};

test("an operation that nobody called, or that let nobody in, is told and fails", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ferry-fuzz-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const answered = (method: string, path: string, ...statuses: number[]) => ({
    ScenarioFinished: {
      recorder: {
        label: `${method} ${path}`,
        cases: Object.fromEntries(statuses.map((_, index) => [`c${index}`, { value: { method, path } }])),
        interactions: Object.fromEntries(
          statuses.map((status, index) => [
            `c${index}`,
            status === 0 ? undefined : { response: { status_code: status } },
          ]),
        ),
      },
    },
  });
  const events = [
    { Initialize: {} },
    answered("GET", "/v1/a", 200, 401, 200),
    { ScenarioFinished: { recorder: { label: "POST /v1/a" } } },
    answered("POST", "/v1/a", 422, 0),
    answered("GET", "/v1/b", 401, 403, 500, 405),
  ];
  const file = join(folder, "events.ndjson");
  writeFileSync(file, events.map((event) => JSON.stringify(event)).join("\n"));
  const summary = summaryOf(DOCUMENT, await readReport(file));
  assert.deepEqual(summary.lines, [
    "ok: A_Get (200 2x, 401 1x)",
    "ok: A_Make (422 1x)",
    "NOT TRIED: B_Get (401 1x, 403 1x, 405 1x, 500 1x)",
    "NOT TRIED: C_Get (never called)",
  ]);
  assert.deepEqual([summary.passed, summary.failed], [2, 2]);
  assert.equal(summaryOf(DOCUMENT, new Map(), "C_Get").failed, 1);
});
