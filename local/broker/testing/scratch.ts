import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";

/** A directory of the test's own, removed at its end. For tests. */
export function makeScratch(context: TestContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ferry-broker-test-"));
  context.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}
