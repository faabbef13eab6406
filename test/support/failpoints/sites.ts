import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const FRAME = /at (?:async )?(?:(.+?) \()?(file:\/\/[^)]+?):\d+:\d+\)?$/;
/** What only hands on: a call site is the code that wanted something. */
const HANDS_ON = /^(test\/support|platform\/db)\/|node_modules/;

/** The code of ours that called, as "transfer/app/create-transfer.ts run". It holds no line: points outlive edits. */
export function callSite(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 20;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = limit;
  for (const line of stack.split("\n").slice(1)) {
    const [, name = "", url = ""] = FRAME.exec(line.trim()) ?? [];
    if (url === "") continue;
    const path = relative(REPOSITORY, fileURLToPath(url));
    if (HANDS_ON.test(path)) continue;
    const called = name.replace(/^(?:Object|Module|process)\./, "").replace(/ \[as (\w+)\]$/, "");
    return `${path.replace(/^services\//, "")}${called === "" ? "" : ` ${called}`}`;
  }
  return "unknown code";
}
