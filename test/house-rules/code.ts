import { codeOnly, isTest, type Source, type Violation } from "./source.ts";

const MAX_FILE_LINES = 300;
const MAX_FUNCTION_LINES = 70;

/** A file over 300 lines owes a reason in its first comment: "Over 300 lines because …". */
export function checkFileLength({ path, text }: Source): Violation[] {
  const lines = text.trimEnd().split("\n").length;
  if (lines <= MAX_FILE_LINES || /^(\/\/|\/\*)[\s\S]{0,400}300 lines because/.test(text)) return [];
  return [{ path, line: 0, message: `${lines} lines: split it, or say why at its top ("Over 300 lines because …")` }];
}

/** The line that opens a function's body, in formatted code: its end is the first "}" at the same indentation. */
const FUNCTION_OPENS =
  /(\bfunction\b.*\{|=>\s*\{|^\s*(?:(?:async|static|get|set|override|public|private)\s+)*[#\w]+\(.*\)(?::[^={}]+)?\s*\{|^\s*\)(?::.*)?\s*(?:=>\s*)?\{)$/;
const NO_FUNCTION = /^\s*(?:\}\s*)?(?:if|for|while|switch|catch|else|do|try|return|class|interface)\b/;

/**
 * Functions over 70 lines of their own. Lines of functions inside count for those, so that a factory
 * is as long as what it does itself.
 */
export function checkFunctionLength({ path, text }: Source): Violation[] {
  const lines = codeOnly(text).split("\n");
  const open: { line: number; indent: number; nested: number }[] = [];
  const found: Violation[] = [];
  lines.forEach((line, index) => {
    const indent = line.length - line.trimStart().length;
    const current = open.at(-1);
    if (current !== undefined && indent === current.indent && line.trimStart().startsWith("}")) {
      open.pop();
      const total = index - current.line + 1;
      const own = total - current.nested;
      const parent = open.at(-1);
      if (parent !== undefined) parent.nested += total;
      if (own > MAX_FUNCTION_LINES)
        found.push({
          path,
          line: current.line + 1,
          message: `a function of ${own} lines: at most ${MAX_FUNCTION_LINES}`,
        });
    }
    if (FUNCTION_OPENS.test(line) && !NO_FUNCTION.test(line)) open.push({ line: index, indent, nested: 0 });
  });
  return found;
}

interface Ban {
  pattern: RegExp;
  /** What to use instead. */
  instead: string;
  /** Whether the ban holds for a file. */
  holds(path: string): boolean;
}

const everywhere = () => true;
const outsideTests = (path: string) => !isTest(path);
const isDomain = (path: string) => /^services\/[^/]+\/domain\//.test(path) && !isTest(path);
const mayPrint = (path: string) =>
  /^(scripts|bench|test)\//.test(path) || /^local\/(up|.*main)/.test(path) || path.endsWith("operator.ts");

const BANS: Ban[] = [
  {
    pattern: /\bprocess\.env\b/,
    instead: "read variables in config.ts through loadConfig",
    holds: (path) => outsideTests(path) && !path.endsWith("config.ts") && !path.startsWith("scripts/"),
  },
  {
    pattern: /\bconsole\.\w+\(/,
    instead: "write through the Logger",
    holds: (path) => !mayPrint(path) && !isTest(path),
  },
  {
    pattern: /\b(Date\.now\(|new Date\(\)|Math\.random\(|randomUUID\(|newUuid\()/,
    instead: "take time and ids as arguments",
    holds: isDomain,
  },
  {
    pattern: /\bparseFloat\(|\.toFixed\(/,
    instead: "money is bigint in minor units",
    holds: (path) => path.startsWith("services/") && !isTest(path),
  },
  { pattern: /\bas any\b|:\s*any\b(?!\w)/, instead: "give it a type", holds: everywhere },
  {
    pattern: /\bsetTimeout\([^,()]+,\s*\d{2,}\)\)?\)?;?$/,
    instead: "wait on a condition, not on time",
    holds: (path) => /\.test\.ts$/.test(path),
  },
  { pattern: /\b(?:test|it|describe)\.(?:skip|only)\(/, instead: "mend the test or take it out", holds: everywhere },
  {
    pattern: /\bpg\.Pool\b|new Pool\(/,
    instead: "use openDatabase of platform/db",
    holds: (path) => !path.startsWith("platform/db/") && !isTest(path),
  },
  {
    pattern: /`\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s/,
    // The edge's own store holds nothing of a member's: counts that a minute forgets, shared by several edges.
    instead: "SQL stands in store/, in a service's audit/, and in platform/{audit,db,outbox,inbox,saga,two-phase}",
    holds: (path) =>
      outsideTests(path) &&
      !/^services\/[^/]+\/(store|audit)\/|^platform\/(audit|db|outbox|inbox|saga|two-phase)\/|^edge\/rate-limits\/store\/|^scripts\/|^local\/postgres\//.test(
        path,
      ),
  },
];

/** Calls that the house does not use, each with what to use instead. */
export function checkBans({ path, text }: Source): Violation[] {
  const lines = codeOnly(text).split("\n");
  return BANS.filter((ban) => ban.holds(path)).flatMap((ban) =>
    lines.flatMap((line, index) =>
      ban.pattern.test(line)
        ? [{ path, line: index + 1, message: `${ban.pattern.exec(line)?.[0].trim()}: ${ban.instead}` }]
        : [],
    ),
  );
}

const LEFTOVER = new RegExp(
  `\\b(${["FIX", "TO", "XX"].map((start, index) => start + ["ME", "DO", "X"][index]).join("|")})\\b|@ts-(ignore|expect-error|nocheck)`,
);

/** Leftovers, and paths of one machine. */
export function checkLeftovers({ path, text }: Source): Violation[] {
  return text.split("\n").flatMap((line, index) => {
    const mark = LEFTOVER.exec(line)?.[0];
    if (mark !== undefined) return [{ path, line: index + 1, message: `${mark}: do it, or say it in the issue` }];
    if (/(^|[^\w.])\/(work|root|home)\/\w/.test(line))
      return [{ path, line: index + 1, message: "a path of one machine" }];
    return [];
  });
}
