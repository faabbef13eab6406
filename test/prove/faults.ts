// The tests of the faults as a process of its own: `node test/prove/faults.ts --json FILE`, one of them by `--only F13`.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runFaults } from "./faults/run.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    short: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});
const report = await runFaults({ short: values.short, only: values.only, say: (line) => console.log(line) });
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, undefined, 1));
const red = report.faults.filter(({ green }) => !green);
for (const { id, what, tests } of red)
  console.log(`RED ${id} ${what}${tests.length === 0 ? ": no test of it ran" : ""}`);
console.log(`${report.faults.length - red.length} of ${report.faults.length} faults green`);
process.exit(red.length === 0 ? 0 : 1);
