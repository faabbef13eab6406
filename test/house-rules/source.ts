import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One source file, as the rules see it. */
export interface Source {
  /** From the repository's root, with slashes, as "services/ledger/domain/place-holds.ts". */
  path: string;
  text: string;
}

export interface Violation {
  path: string;
  /** Counted from 1; 0 is the file as a whole. */
  line: number;
  /** What is wrong, and what to do instead. */
  message: string;
}

export const repository = join(import.meta.dirname, "../..");

const ROOMS = ["platform", "edge", "client", "services", "local", "test", "bench", "scripts"];

/** Every TypeScript file of the house, tracked or about to be; not gen/ and client/gen/, which are generated. */
export function readSources(): Source[] {
  const listing = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", ...ROOMS],
    {
      cwd: repository,
      encoding: "utf8",
    },
  );
  return listing
    .split("\n")
    .filter((path) => /\.(ts|mjs)$/.test(path) && !path.startsWith("client/gen/"))
    .flatMap((path) => {
      try {
        return [{ path, text: readFileSync(join(repository, path), "utf8") }];
      } catch {
        return []; // Deleted in the working tree, not yet in the index.
      }
    });
}

export const isTest = (path: string) =>
  /\.(test|fixture)\.ts$|\/testing\//.test(path) || path.startsWith("test/") || path.startsWith("bench/");

/** A text with comments and the insides of strings blanked, line for line, so that rules about code do not trip over words. */
export function codeOnly(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g,
    (match, offset: number) => {
      if (match.startsWith("//") && text[offset - 1] === ":") return match; // An address inside a template.
      return match.replace(/[^\n"']/g, " ");
    },
  );
}

export interface Import {
  specifier: string;
  line: number;
  typeOnly: boolean;
}

/** The modules that a file imports or re-exports. */
export function importsOf({ text }: Source): Import[] {
  const pattern =
    /^(?:import|export)\s+(type\s+)?(?:[\s\S]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)|\brequire(?:\.resolve)?\("([^"]+)"\)/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[2] ?? match[3] ?? match[4] ?? "",
    line: text.slice(0, match.index).split("\n").length,
    typeOnly: match[1] !== undefined,
  }));
}
