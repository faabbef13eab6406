// The suite of the Connect project, whole, where it is to be had: it is a program of Go's.
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const program = process.env.CONNECTCONFORMANCE || "connectconformance";

function missing(): string | false {
  try {
    execFileSync(program, ["--version"]);
    execFileSync("go", ["version"]);
    return false;
  } catch {
    return `no ${program} (see run.ts --help), or no Go beside it`;
  }
}

const skip = missing();
/** What a server says of a deadline must be right within half a second: where the machine stood still, all is run again. */
const RUNS = 3;
/** One server at a time: what is tested shares the machine with other tests, and some cases are about time. */
const GENTLY = { server: ["--parallel", "1", "-p", "1"], client: [], doors: ["--parallel", "1", "-p", "1"] };

for (const [system, options] of Object.entries(GENTLY))
  test(`${system}: every case of the suite passes`, { skip, timeout: 170_000 }, async (t) => {
    const args = [join(import.meta.dirname, "run.ts"), system, "--", ...options];
    const runOnce = async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const child = execFile(process.execPath, args, { maxBuffer: 16 * 1_024 * 1_024 }, (error, stdout, stderr) => {
        if (error === null) resolve();
        else reject(new Error(`${stdout}\n${stderr}`.slice(-4_000)));
      });
      t.after(() => child.kill());
      await promise;
    };
    for (let run = 1; run < RUNS; run++) {
      try {
        return await runOnce();
      } catch (error) {
        t.diagnostic(`run ${run}: ${String(error)}`);
      }
    }
    await runOnce();
  });
