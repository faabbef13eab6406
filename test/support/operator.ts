import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { Platform } from "./platform.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");

/** Makes an operator as the README says, and gives the password that was printed. */
export async function makeOperator(platform: Platform, email: string): Promise<string> {
  const { stdout } = await promisify(execFile)("npm", ["run", "--silent", "operator", "--", "--email", email], {
    cwd: REPOSITORY,
    env: { ...process.env, ...platform.environment },
  });
  const password = /password:?\s+(\S+)/i.exec(stdout)?.[1];
  if (password === undefined) throw new Error(`no password in: ${stdout}`);
  return password;
}
