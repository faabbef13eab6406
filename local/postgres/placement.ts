import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export interface User {
  name: string;
  uid: number;
  gid: number;
}

/** The file in the wanted folder that says where the data went when they could not stay. */
const MOVED_TO = "moved-to";

/**
 * The user that PostgreSQL runs as: undefined (ourselves) unless we are root, which it refuses.
 * Only accounts that exist are used: `postgres`, else `nobody`.
 */
export function findUnprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account !== undefined) return { name, uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody" to run it as');
}

/** Whether the user may pass through `path` and every folder above it. */
export function mayEnter(path: string, user: User): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** A folder outside everybody's home that belongs to `path` alone, and is the same on every start. */
export function systemFolderFor(path: string): string {
  const hash = createHash("sha256").update(resolve(path)).digest("hex").slice(0, 16);
  return join(existsSync("/var/tmp") ? "/var/tmp" : tmpdir(), `ferry-${hash}`);
}

/** Makes the folder, or takes it over; refuses one that somebody else put there, since all may write beside it. */
export function claimSystemFolder(path: string, user: User, mode: number): void {
  if (!existsSync(path)) mkdirSync(path, { mode });
  const found = lstatSync(path);
  if (!found.isDirectory() || (found.uid !== 0 && found.uid !== user.uid)) {
    throw new Error(`PostgreSQL: ${path} belongs to somebody else (user id ${found.uid}); remove it`);
  }
  chmodSync(path, mode);
}

/**
 * Makes the folder that holds the data, and returns its path: the wanted one, or, where the
 * unprivileged user may not enter that, a folder of the system that belongs to it.
 *
 * The wanted folder keeps a note of the move. When the note is gone, somebody removed the wanted
 * folder to start afresh, so the data that were moved go too.
 */
export function placeData(wanted: string, user: User | undefined, log: (line: string) => void): string {
  mkdirSync(dirname(wanted), { recursive: true });
  if (!existsSync(wanted)) mkdirSync(wanted, { mode: 0o700 });
  if (user === undefined) return wanted;
  if (mayEnter(dirname(wanted), user)) {
    chownSync(wanted, user.uid, user.gid);
    return wanted;
  }
  const moved = systemFolderFor(wanted);
  const note = join(wanted, MOVED_TO);
  if (!existsSync(note) && existsSync(moved)) {
    claimSystemFolder(moved, user, 0o700);
    rmSync(moved, { recursive: true });
  }
  claimSystemFolder(moved, user, 0o700);
  chownSync(moved, user.uid, user.gid);
  writeFileSync(note, `${moved}\n`);
  log(`PostgreSQL's data are in ${moved}: the user "${user.name}" that it runs as may not enter ${wanted}`);
  return moved;
}
