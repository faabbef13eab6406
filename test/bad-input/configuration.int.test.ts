// Every process with every variable missing or malformed: all are named at once, with what would be right.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import type { Variable } from "@ferry/platform/config";
import { goodEnvironment, isRequired, oddValueOf, PRODUCTION, problemsOf, processes } from "./support/processes.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const TIMEOUT_MS = 60_000;
const namesOf = (variables: readonly Variable<unknown>[]) => [...new Set(variables.map(({ env }) => env))].sort();
/** The variables that problems begin with. */
const named = (problems: readonly string[]) => [...new Set(problems.map((problem) => problem.split(" ")[0]))].sort();

for (const process of processes) {
  const required = process.variables.filter(isRequired);
  const picky = process.variables.filter((variable) => oddValueOf(variable) !== undefined);
  const odd = Object.fromEntries(picky.map((variable) => [variable.env, oddValueOf(variable)!]));

  test(`${process.name}: what is missing is named, all at once and each alone, with what it is for`, () => {
    assert.ok(required.length >= 5, `${required.length} variables`);
    assert.deepEqual(problemsOf(process, goodEnvironment()), []);
    const problems = problemsOf(process, PRODUCTION);
    assert.deepEqual(named(problems), namesOf(required));
    for (const { env, help } of required) {
      assert.ok(problems.includes(`${env} is missing: ${help}`), `${env}: ${problems}`);
      for (const absent of [undefined, ""])
        assert.deepEqual(named(problemsOf(process, { ...goodEnvironment(), [env]: absent })), [env]);
    }
  });

  test(`${process.name}: what is malformed is named, all at once and each alone, and no secret is shown`, () => {
    assert.ok(picky.length >= 6, `${picky.length} variables`);
    for (const mode of [PRODUCTION, {}]) {
      const problems = problemsOf(process, { ...goodEnvironment(), ...odd, FERRY_ENV: undefined, ...mode });
      assert.deepEqual(named(problems), namesOf(picky));
    }
    for (const variable of picky) {
      const { env, help, secret } = variable;
      const alone = problemsOf(process, { ...goodEnvironment(), [env]: odd[env] });
      assert.deepEqual(named(alone), [env]);
      for (const problem of alone) {
        assert.match(problem, / is (".*"|\(secret\)): \S.{5,}/, "it says what would be right");
        if (secret) assert.doesNotMatch(problem, /hunter2/);
      }
      assert.ok(
        alone.some((problem) => problem.includes(help)),
        `${env}: ${alone}`,
      );
    }
  });

  test(`${process.name}: production has no default secret, and no address of this machine`, () => {
    for (const { env, fallback, localFallback, secret } of process.variables) {
      const value = typeof fallback === "function" ? fallback(PRODUCTION) : (fallback ?? "");
      if (secret) assert.equal(value, "", env);
      // Where a process listens is not where it finds others.
      if (env !== "FERRY_HOST" && !(env === "FERRY_MEMBER_URL" && process.name === "member"))
        assert.doesNotMatch(value, /localhost|127\.0\.0\.1|:\/\//, env);
      const local = typeof localFallback === "function" ? localFallback({}) : (localFallback ?? "");
      assert.doesNotMatch(local, /:\/\/[^/]*:[^/]*@/, `${env} has a password`);
    }
  });

  test(`${process.name}: what may hold a password is a secret`, () => {
    const holders = picky.filter(
      ({ env, schema }) => schema.safeParse("postgres://ferry:hunter2@db/ferry").success || env.endsWith("SECRET"),
    );
    assert.ok(holders.length > 0);
    for (const { env, secret } of holders) assert.equal(secret, true, env);
  });

  test(`${process.name}: a mode or an offset that is none is named`, () => {
    assert.deepEqual(named(problemsOf(process, { ...goodEnvironment(), FERRY_ENV: "staging" })), ["FERRY_ENV"]);
    for (const offset of ["many", "-1", "1e3", "50001"])
      assert.deepEqual(named(problemsOf(process, { ...goodEnvironment(), FERRY_PORT_OFFSET: offset })), [
        "FERRY_PORT_OFFSET",
      ]);
  });

  test(`${process.name}: the process itself says so and does not start`, async () => {
    const { code, stderr } = await run(process.main, { ...odd, ...PRODUCTION });
    assert.equal(code, 1, stderr);
    for (const env of namesOf([...picky, ...required])) assert.match(stderr, new RegExp(`\\b${env} is `));
    for (const { env } of process.variables.filter(({ secret }) => secret))
      assert.doesNotMatch(stderr, new RegExp(`${env} is ".*hunter2`));
  });
}

test("secrets that anybody could guess are refused", () => {
  const guessable = [Buffer.alloc(32), Buffer.alloc(32, "a"), Buffer.alloc(32, "secret"), Buffer.alloc(31, 7)];
  let tried = 0;
  for (const process of processes)
    for (const { env } of process.variables.filter((variable) => variable.env.endsWith("_KEY_SECRET")))
      for (const bytes of guessable) {
        const environment = { ...goodEnvironment(), [env]: bytes.toString("base64") };
        assert.deepEqual(named(problemsOf(process, environment)), [env]);
        tried++;
      }
  assert.equal(tried, 2 * guessable.length);
});

/** Runs a process with nothing in its environment but what is given. */
function run(main: string, env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const { promise, resolve: done } = Promise.withResolvers<{ code: number; stderr: string }>();
  execFile(process.execPath, [main], { cwd: ROOT, env, timeout: TIMEOUT_MS }, (error, _out, stderr) =>
    done({ code: Number(error?.code ?? (error === null ? 0 : -1)), stderr }),
  );
  return promise;
}
