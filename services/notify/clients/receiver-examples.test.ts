// The helpers that docs/webhooks.md gives to receivers, run as they stand there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { newSecret, secretText, signatureHeader } from "./signature.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/webhooks.md"), "utf8");
const codeOf = (language: string) => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)![1]!;
const folder = mkdtempSync(join(tmpdir(), "ferry-receiver-"));
after(() => rmSync(folder, { recursive: true }));

const now = Math.floor(Date.now() / 1_000);
const body = '{"memo":"tea €"}';
const secret = newSecret();

function headersOf(change: { timestamp?: number; secrets?: Buffer[] } = {}): Record<string, string> {
  const { timestamp = now, secrets = [secret] } = change;
  return {
    "webhook-id": "id",
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatureHeader({ id: "id", timestamp, body }, secrets),
  };
}

const CASES: [what: string, headers: Record<string, string>, body: string, genuine: boolean][] = [
  ["what was sent", headersOf(), body, true],
  ["with two signatures", headersOf({ secrets: [newSecret(), secret] }), body, true],
  ["another secret", headersOf({ secrets: [newSecret()] }), body, false],
  ["another body", headersOf(), `${body} `, false],
  ["another id", { ...headersOf(), "webhook-id": "other" }, body, false],
  ["too old", headersOf({ timestamp: now - 400 }), body, false],
  ["another time", { ...headersOf(), "webhook-timestamp": String(now - 1) }, body, false],
  ["no signature", { ...headersOf(), "webhook-signature": "" }, body, false],
  ["no headers", {}, body, false],
];

test("the helper in TypeScript takes what is genuine, and nothing else", async () => {
  const file = join(folder, "verify.ts");
  writeFileSync(file, codeOf("ts"));
  const { verifyWebhook } = await import(pathToFileURL(file).href);
  for (const [what, headers, text, genuine] of CASES) {
    const verify = () => verifyWebhook(secretText(secret), headers, text);
    if (genuine) assert.doesNotThrow(verify, what);
    else assert.throws(verify, what);
  }
});

const python = spawnSync("python3", ["--version"]).status === 0;

test("the helper in Python does the same", { skip: python ? false : "python3 is not installed" }, () => {
  const run = `
import json, sys
for what, headers, body, genuine in json.load(sys.stdin):
    try:
        verify_webhook(sys.argv[1], headers, body.encode())
        taken = True
    except ValueError:
        taken = False
    assert taken == genuine, what
print("all")`;
  const file = join(folder, "verify.py");
  writeFileSync(file, codeOf("python") + run);
  const result = spawnSync("python3", [file, secretText(secret)], { input: JSON.stringify(CASES), encoding: "utf8" });
  assert.equal(result.stdout.trim(), "all", result.stderr);
});
