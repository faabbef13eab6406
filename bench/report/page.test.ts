import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessSample } from "../scenario.ts";
import { renderPage } from "./page.ts";
import { niceAbove, plot } from "./plot.ts";
import { reportOf } from "./report.fixture.ts";

test("the page loads nothing, and text from outside is escaped", () => {
  const errorKinds = { "answered 500": { count: 2, examples: ["<script>alert(1)</script>"] } };
  const page = renderPage(reportOf(1, { errorKinds, booksOk: false, booksFindings: ["a hold is left open"] }));
  assert.doesNotMatch(page, /<script|<link|<img|https?:|url\(/);
  assert.match(page, /&lt;script&gt;/);
  assert.match(page, /a &lt;fast&gt; one/);
  assert.match(page, /DO NOT HOLD/);
  assert.match(page, /a hold is left open/);
});

test("four plots for a scenario, with a line for each process", () => {
  const samples: ProcessSample[] = [
    { atSeconds: 0, cpuPercent: {}, memoryMiB: { edge: 90, ledger: 80 } },
    { atSeconds: 1, cpuPercent: { edge: 50, ledger: 20 } },
    { atSeconds: 2, cpuPercent: { edge: 60, ledger: 25 } },
  ];
  const load = [{ second: 0, done: 1_000, errors: 0, p50Ms: 10, p99Ms: 30 }];
  const page = renderPage(reportOf(1, { samples, load }));
  assert.equal(page.match(/<svg/g)?.length, 4);
  assert.equal(page.match(/<polyline/g)?.length, 2 + 2 + 2 + 2);
});

test("an axis ends at a round number, and the highest point lies within", () => {
  assert.deepEqual([0, 0.7, 3, 10, 1_234].map(niceAbove), [1, 1, 5, 10, 2_000]);
  const drawn = plot("x", [
    {
      name: "a",
      points: [
        [0, 0],
        [10, 1_234],
      ],
    },
  ]);
  const heights = [...drawn.matchAll(/,(\d+\.\d)/g)].map(([, y]) => Number(y));
  assert.ok(
    heights.every((y) => y >= 10 && y <= 214),
    heights.join(),
  );
});
