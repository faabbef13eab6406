import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** Where Debian keeps the programs of its PostgreSQL, which are not all on the path. */
const DEBIAN = "/usr/lib/postgresql/*/bin/pgbench";

/** Finds pgbench on the path or where Debian keeps it; the npm package of PostgreSQL does not have it. */
export function findPgbench(path = process.env.PATH ?? ""): string | undefined {
  const onPath = path.split(delimiter).map((folder) => join(folder, "pgbench"));
  return [...onPath, ...globSync(DEBIAN).sort().reverse()].find((file) => existsSync(file));
}

/**
 * Runs a script once, on one connection.
 *
 * @returns how long it took, in seconds.
 * @throws Error with what pgbench said, when a statement failed too.
 */
export async function runPgbench(
  pgbench: string,
  { url, options, script }: { url: string; options: string; script: string },
): Promise<number> {
  const startedAt = performance.now();
  const args = ["--no-vacuum", "--client=1", "--transactions=1", `--file=${script}`, url];
  const { stdout } = await promisify(execFile)(pgbench, args, { env: { ...process.env, PGOPTIONS: options } });
  if (!/transactions actually processed: 1\/1/.test(stdout)) throw new Error(`pgbench did not finish: ${stdout}`);
  return (performance.now() - startedAt) / 1_000;
}
