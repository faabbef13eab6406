/** One segment of a path template: a text, "*" for any one segment, "**" for all that are left. */
export type Segment = { kind: "literal"; text: string } | { kind: "one" } | { kind: "rest" };

/** A field that takes part of the path. */
export interface Variable {
  /** Proto path of the field, "transfer.id". */
  fieldPath: string;
  /** The first segment that belongs to it, and the one after its last; undefined: all that are left. */
  from: number;
  to: number | undefined;
  /** Whether it takes several segments, whose slashes then belong to the value. */
  multiple: boolean;
}

/** A path template of google.api.http, taken apart. */
export interface PathTemplate {
  source: string;
  segments: readonly Segment[];
  variables: readonly Variable[];
  /** Decoded text after the last colon, "cancel"; empty when there is none. */
  verb: string;
}

const FIELD_PATH = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const LITERAL = /^(?:[A-Za-z0-9._~!$&'()+,;=@-]|%[0-9A-Fa-f]{2})+$/;

/**
 * Parses a template by the grammar in google/api/http.proto:
 * `"/" Segments [":" verb]`, where a segment is "*", "**", a text, or `{field}` or `{field=segments}`.
 *
 * @throws Error that says what is wrong with it.
 */
export function parsePathTemplate(source: string): PathTemplate {
  if (!source.startsWith("/")) throw new Error(`path ${JSON.stringify(source)} must begin with "/"`);
  const lastClose = Math.max(source.lastIndexOf("}"), source.lastIndexOf("/"));
  const colon = source.indexOf(":", lastClose);
  const verb = colon === -1 ? "" : literalText(source.slice(colon + 1), "verb", source);
  const path = colon === -1 ? source.slice(1) : source.slice(1, colon);

  const segments: Segment[] = [];
  const variables: Variable[] = [];
  for (const part of splitOutsideBraces(path)) {
    if (!part.startsWith("{")) {
      segments.push(parseSegment(part, source));
      continue;
    }
    if (!part.endsWith("}")) throw new Error(`path ${JSON.stringify(source)} has an unclosed or misplaced "{"`);
    const [fieldPath = "", pattern = "*"] = part.slice(1, -1).split(/=(.*)/s);
    if (!FIELD_PATH.test(fieldPath)) throw new Error(`path ${JSON.stringify(source)} names no field in ${part}`);
    const inner = pattern.split("/").map((text) => parseSegment(text, source));
    const to = inner.at(-1)?.kind === "rest" ? undefined : segments.length + inner.length;
    const multiple = inner.length > 1 || to === undefined;
    variables.push({ fieldPath, from: segments.length, to, multiple });
    segments.push(...inner);
  }
  const rest = segments.findIndex(({ kind }) => kind === "rest");
  if (rest !== -1 && rest !== segments.length - 1)
    throw new Error(`path ${JSON.stringify(source)} has "**" before its end`);
  return { source, segments, variables, verb };
}

function parseSegment(text: string, source: string): Segment {
  if (text === "*") return { kind: "one" };
  if (text === "**") return { kind: "rest" };
  return { kind: "literal", text: literalText(text, "segment", source) };
}

/** Texts are compared decoded: a template may write them percent-encoded, as may a client. */
function literalText(text: string, what: string, source: string): string {
  try {
    if (LITERAL.test(text)) return decodeURIComponent(text);
  } catch {
    // Encoded, but no UTF-8: said below like any other bad text.
  }
  throw new Error(`path ${JSON.stringify(source)} has a bad ${what} ${JSON.stringify(text)}`);
}

/** Splits at the slashes that are not inside of a variable's braces. */
function splitOutsideBraces(path: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at < path.length; at++) {
    const char = path[at];
    if (char === "{") depth++;
    else if (char === "}") depth--;
    else if (char === "/" && depth === 0) {
      parts.push(path.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, path.slice(start)];
}

/** The template's shape without the names of its fields: two routes of one shape and method exclude each other. */
export function shapeOf({ segments, verb }: PathTemplate): string {
  const parts = segments.map((segment) =>
    segment.kind === "literal" ? encodeURIComponent(segment.text) : segment.kind === "one" ? "*" : "**",
  );
  return `/${parts.join("/")}${verb === "" ? "" : `:${encodeURIComponent(verb)}`}`;
}

/**
 * Whether two templates have paths in common although neither is the more exact one, as "/a/*" and "/*\/b" with
 * "/a/b". Of two templates with different verbs the path tells which is meant, so these never are.
 */
export function areAmbiguous(one: PathTemplate, other: PathTemplate): boolean {
  if (one.verb !== other.verb) return false;
  let oneIsNarrower = false;
  let otherIsNarrower = false;
  for (let at = 0; ; at++) {
    const [left, right] = [one.segments[at], other.segments[at]];
    if (left?.kind === "rest" || right?.kind === "rest") {
      if (left?.kind !== "rest") oneIsNarrower = true;
      if (right?.kind !== "rest") otherIsNarrower = true;
      break;
    }
    if (left === undefined || right === undefined) {
      if (left !== right) return false; // Of different lengths.
      break;
    }
    if (left.kind === "literal" && right.kind === "literal") {
      if (left.text !== right.text) return false;
    } else if (left.kind === "literal") oneIsNarrower = true;
    else if (right.kind === "literal") otherIsNarrower = true;
  }
  return oneIsNarrower && otherIsNarrower;
}
