import assert from "node:assert/strict";

const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 5;

/** Resolves with what the look-up gives, as soon as it gives something. @throws AssertionError that says what did not come in time. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
