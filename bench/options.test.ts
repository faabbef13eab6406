import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type BenchOptions, HELP, readArguments } from "./options.ts";
import { SCENARIOS } from "./scenarios.ts";

function optionsOf(...args: string[]): BenchOptions {
  const parsed = readArguments(args);
  assert.equal(parsed.kind, "run", JSON.stringify(parsed));
  return (parsed as { options: BenchOptions }).options;
}

test("without options it is transfers to another bank, closed loop, 256 in flight", () => {
  const options = optionsOf();
  assert.deepEqual(options.scenarios, ["bank-transfers"]);
  assert.deepEqual(
    [options.inFlight, options.rate, options.seconds, options.warmUpSeconds],
    [256, undefined, undefined, 8],
  );
});

test("scenarios are given one by one, as a list, or all, and run once each", () => {
  assert.deepEqual(optionsOf("--scenario", "idle,steady", "--scenario", "idle").scenarios, ["idle", "steady"]);
  assert.deepEqual(optionsOf("--scenario", "all").scenarios, Object.keys(SCENARIOS));
});

test("numbers are read", () => {
  const options = optionsOf(
    "--seconds",
    "2.5",
    "--rate",
    "600",
    "--in-flight",
    "64",
    "--accounts",
    "1000",
    "--warm-up",
    "0",
  );
  assert.deepEqual(
    [options.seconds, options.rate, options.inFlight, options.accounts, options.warmUpSeconds],
    [2.5, 600, 64, 1_000, 0],
  );
});

for (const [args, message] of [
  [["--scenario", "nonsense"], /nonsense.*bank-transfers/],
  [["--fast"], /--fast/],
  [["--seconds", "soon"], /--seconds.*soon/],
  [["--seconds", "-1"], /--seconds/],
  [["--rate", "0"], /--rate.*0/],
  [["--in-flight", "1.5"], /--in-flight.*whole/],
  [["--accounts", "1e3"], /--accounts.*1e3/],
  [["--json"], /--json/],
  [["bank-transfers"], /bank-transfers/],
] as [string[], RegExp][])
  test(`it names what is wrong with ${args.join(" ")}`, () => {
    const parsed = readArguments(args);
    assert.equal(parsed.kind, "wrong");
    assert.match((parsed as { message: string }).message, message);
  });

test("help and list are asked for, and help names every option", () => {
  assert.equal(readArguments(["--help"]).kind, "help");
  assert.equal(readArguments(["--list"]).kind, "list");
  for (const name of [
    "scenario",
    "seconds",
    "warm-up",
    "in-flight",
    "rate",
    "accounts",
    "history",
    "json",
    "against",
    "profile",
    "peers",
    "kafka",
  ])
    assert.match(HELP, new RegExp(`^  --${name}\\b`, "m"));
});

test("beside is a folder with a checkout, and goes with nothing that is of one platform", () => {
  const own = join(import.meta.dirname, "..");
  assert.deepEqual([optionsOf("--beside", own).besideDirectory, optionsOf("--beside", own).rounds], [own, 16]);
  for (const [args, message] of [
    [["--beside", "/nowhere"], /--beside: there is no checkout of Ferry in \/nowhere/],
    [["--beside", own, "--rate", "600"], /--beside does not go with --rate/],
    [["--beside", own, "--rounds", "1"], /--rounds.*from 2/],
  ] as [string[], RegExp][]) {
    const parsed = readArguments(args);
    assert.equal(parsed.kind, "wrong", args.join(" "));
    assert.match((parsed as { message: string }).message, message);
  }
});
