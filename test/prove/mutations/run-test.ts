// One test of one file, as a process of its own: node run-test.ts FILE NAME. Exit code 0: it ran and passed; 1: it failed; 3: it did not run.
import { resolve } from "node:path";
import { run } from "node:test";
import { globalSetup, globalTeardown } from "../../support/global-setup.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const TIMEOUT_MS = 150_000;

const [file = "", name = ""] = process.argv.slice(2);
let [passed, failed] = [0, 0];
await globalSetup();
try {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const stream = run({
    files: [resolve(REPOSITORY, file)],
    testNamePatterns: [new RegExp(escaped)],
    timeout: TIMEOUT_MS,
  });
  stream.on("test:pass", (event) => {
    if (event.name.startsWith(name)) passed++;
  });
  stream.on("test:fail", ({ name: failing, details: { error } }) => {
    failed++;
    const cause = error.cause instanceof Error ? error.cause.message : error.message;
    console.log(`${failing}: ${cause.split("\n")[0]}`);
  });
  stream.resume();
  await new Promise((done) => stream.on("end", done));
} finally {
  await globalTeardown();
}
process.exit(failed > 0 ? 1 : passed > 0 ? 0 : 3);
