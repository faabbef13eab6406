import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Batch, type BatchMove, GATE_MS, MAX_UNDER_WAY, nextMove, type OpenLines } from "./batch.ts";

const NOW = 1_000_000;
const LIMIT = 16;
const STOP = { kind: "STOP", failure: { code: "CANCELED_BY_MEMBER", message: "" } } as const;

const batch = (changes: Partial<Batch> = {}): Batch => ({
  ...{ id: "b", memberId: "m", mode: "BEST_EFFORT", state: "RUNNING", verdict: undefined, swept: false },
  ...{ executeAtMs: undefined, expireAtMs: undefined },
  ...changes,
});
const open = (changes: Partial<OpenLines> = {}): OpenLines => ({
  ...{ pending: false, running: 0, held: false, parked: false, failed: false, batches: 1, ofMember: 0 },
  ...changes,
});
const gated = (changes: Partial<Batch> = {}) => batch({ mode: "ALL_OR_NOTHING", expireAtMs: NOW + 1, ...changes });

const moves: [what: string, batch: Batch, open: OpenLines, move: Partial<BatchMove>][] = [
  [
    "waits for its time",
    batch({ state: "SCHEDULED", executeAtMs: NOW + 5 }),
    open({ pending: true }),
    { kind: "wait", untilMs: NOW + 5 },
  ],
  [
    "begins at its time",
    batch({ state: "SCHEDULED", executeAtMs: NOW }),
    open({ pending: true }),
    { kind: "begin", expireAtMs: undefined },
  ],
  [
    "waits for its turn when its member has as many under way as may be",
    batch({ state: "SCHEDULED", executeAtMs: NOW }),
    open({ pending: true, batches: 25, ofMember: MAX_UNDER_WAY }),
    { kind: "wait", untilMs: NOW + 5_000 },
  ],
  [
    "begins beside one fewer",
    batch({ state: "SCHEDULED", executeAtMs: NOW }),
    open({ pending: true, batches: 25, ofMember: MAX_UNDER_WAY - 1 }),
    { kind: "begin" },
  ],
  [
    "a gate has its time from the beginning",
    gated({ state: "SCHEDULED", executeAtMs: NOW, expireAtMs: undefined }),
    open(),
    { kind: "begin", expireAtMs: NOW + GATE_MS },
  ],
  [
    "begins lines where there is room",
    batch(),
    open({ pending: true, running: 4 }),
    { kind: "begin-lines", count: 12 },
  ],
  ["waits until it is worth it", batch(), open({ pending: true, running: 13 }), { kind: "nothing" }],
  ["shares with other batches", batch(), open({ pending: true, batches: 4 }), { kind: "begin-lines", count: 4 }],
  [
    "begins one line at a time among many batches",
    batch(),
    open({ pending: true, batches: 99 }),
    { kind: "begin-lines", count: 1 },
  ],
  ["ends when every line has", batch(), open({ failed: true }), { kind: "end", state: "COMPLETED" }],
  ["shows that an operator is waited for", batch(), open({ parked: true }), { kind: "show", state: "PARKED" }],
  [
    "waits for the operator",
    batch({ state: "PARKED" }),
    open({ parked: true }),
    { kind: "wait", untilMs: NOW + 10_000 },
  ],
  [
    "shows that it goes on",
    batch({ state: "PARKED" }),
    open({ running: 1, parked: true }),
    { kind: "show", state: "RUNNING" },
  ],
  ["is stopped when its time is over", batch({ expireAtMs: NOW }), open({ running: 1 }), { kind: "stop" }],
  [
    "is not stopped when nothing is left to stop",
    batch({ expireAtMs: NOW }),
    open(),
    { kind: "end", state: "COMPLETED" },
  ],
  ["the gate stays shut while a line is on its way", gated(), open({ running: 1, held: true }), { kind: "nothing" }],
  ["the gate stays shut for a line that is parked", gated(), open({ parked: true, held: true }), { kind: "nothing" }],
  ["the gate opens when every line is held", gated(), open({ held: true }), { kind: "go" }],
  ["one that failed shuts the gate", gated(), open({ held: true, failed: true }), { kind: "stop" }],
  ["the gate's time is over", gated({ expireAtMs: NOW }), open({ held: true }), { kind: "stop" }],
  [
    "what was decided does not expire",
    gated({ expireAtMs: NOW, verdict: { kind: "GO" } }),
    open({ held: true }),
    { kind: "answer-held", count: 16 },
  ],
  [
    "lines pass the gate a few at a time",
    gated({ verdict: { kind: "GO" } }),
    open({ held: true, running: 15 }),
    { kind: "nothing" },
  ],
  [
    "a bank's refusal behind the gate is its line's alone",
    gated({ verdict: { kind: "GO" } }),
    open({ failed: true }),
    { kind: "end", state: "COMPLETED" },
  ],
  [
    "stopped: what has not begun never will",
    batch({ verdict: STOP, state: "STOPPING" }),
    open({ pending: true, running: 3 }),
    { kind: "drop-pending" },
  ],
  [
    "stopped: then what is on its way turns back",
    batch({ verdict: STOP, state: "STOPPING" }),
    open({ running: 3 }),
    { kind: "sweep" },
  ],
  [
    "stopped: and who waits at the gate is told",
    gated({ verdict: STOP, state: "STOPPING", swept: true }),
    open({ held: true, running: 9 }),
    { kind: "answer-held", count: 200 },
  ],
  [
    "stopped: and is over with the last of them",
    batch({ verdict: STOP, state: "STOPPING", swept: true }),
    open(),
    { kind: "end", state: "CANCELED" },
  ],
  [
    "stopped before its time",
    batch({ verdict: STOP, state: "STOPPING", executeAtMs: NOW + 9 }),
    open({ pending: true }),
    { kind: "drop-pending" },
  ],
  ["an end is an end", batch({ state: "COMPLETED", expireAtMs: NOW }), open({ parked: true }), { kind: "nothing" }],
];

for (const [what, given, lines, expected] of moves)
  test(what, () => {
    const move = nextMove(given, lines, NOW, LIMIT);
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, move[key as "kind"]])), expected);
  });

/** A batch in memory: lines as states, moved by the decisions and by chance. */
function play(mode: Batch["mode"], lineCount: number, choices: readonly number[]) {
  const now = { ms: NOW };
  const state = batch({ mode, expireAtMs: NOW + 100 });
  const lines: string[] = Array(lineCount).fill("PENDING");
  let wasGo = false;
  const count = (wanted: string) => lines.filter((line) => line === wanted).length;
  const set = (from: string, to: string, limit: number) => {
    for (const [index, line] of lines.entries()) if (line === from && limit-- > 0) lines[index] = to;
  };
  const stop = (failure: Extract<BatchMove, { kind: "stop" }>["failure"]) =>
    Object.assign(state, { verdict: { kind: "STOP", failure }, state: "STOPPING" });
  /** What the world does: a line on its way gets on, fails, or passes the gate. */
  const chance = (choice: number) => {
    const index = lines.indexOf(choice % 2 === 0 ? "RUNNING" : "SENT");
    now.ms += choice % 5;
    if (index === -1) return;
    if (lines[index] === "SENT") lines[index] = "COMPLETED";
    else if (state.verdict?.kind === "STOP" || choice % 31 === 0) {
      lines[index] = "FAILED";
      if (mode === "ALL_OR_NOTHING" && state.verdict === undefined) stop({ code: "BATCH_FAILED", message: "" });
    } else lines[index] = mode === "ALL_OR_NOTHING" ? "HELD" : "SENT";
  };
  for (let turn = 0; turn < 2_000 && state.state !== "COMPLETED" && state.state !== "FAILED"; turn++) {
    const seen = open({
      ...{ pending: count("PENDING") > 0, running: count("RUNNING") + count("SENT"), held: count("HELD") > 0 },
      failed: count("FAILED") > 0,
    });
    const move = nextMove(state, seen, now.ms, LIMIT);
    if (move.kind === "begin-lines") set("PENDING", "RUNNING", move.count);
    else if (move.kind === "stop") stop(move.failure);
    else if (move.kind === "go") wasGo = Object.assign(state, { verdict: { kind: "GO" } }) !== undefined;
    else if (move.kind === "drop-pending") set("PENDING", "FAILED", lineCount);
    else if (move.kind === "sweep") state.swept = true;
    else if (move.kind === "answer-held") set("HELD", state.verdict?.kind === "GO" ? "SENT" : "FAILED", move.count);
    else if (move.kind === "end" || move.kind === "show") state.state = move.state;
    assert.ok(count("RUNNING") <= LIMIT, "more under way than may be");
    chance(choices[turn % choices.length]!);
  }
  return { state, completed: count("COMPLETED"), wasGo };
}

test("whatever happens to its lines, a batch ends; all or nothing pays every line or none", () => {
  const choices = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(
      fc.constantFrom("BEST_EFFORT", "ALL_OR_NOTHING"),
      fc.integer({ min: 1, max: 40 }),
      choices,
      (mode, count, chance) => {
        const both = [...chance, 2, 3]; // Chance gives each kind of line its turn.
        const { state, completed, wasGo } = play(mode as Batch["mode"], count, both);
        assert.ok(["COMPLETED", "FAILED"].includes(state.state), state.state);
        if (mode === "ALL_OR_NOTHING") assert.equal(completed, wasGo ? count : 0);
      },
    ),
  );
});
