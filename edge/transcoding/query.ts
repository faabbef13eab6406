import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { BadField } from "./errors.ts";
import { findFieldPath, setFromTexts, textProblem } from "./field-path.ts";
import type { TakenPaths } from "./read-message.ts";

/** Puts the parameters of a query into a message. @throws BadField that names the parameter. */
export type ReadQuery = (message: Message, query: string) => void;

/**
 * Compiles the reader of a route's query: it says every field that neither path nor body do.
 *
 * @param bodyField The field that is the body; "all" when all fields are, and there are no parameters.
 * @param taken Fields of the path.
 */
export function queryReader(
  input: DescMessage,
  bodyField: DescField | "all" | undefined,
  taken: TakenPaths,
): ReadQuery {
  return (message, query) => {
    const given = new Set<string>();
    for (const [name, texts] of parseQuery(query)) {
      const path = bodyField === "all" ? undefined : findFieldPath(input, name);
      if (path === undefined || path.steps[0] === bodyField)
        throw new BadField(name, "is not a parameter of this route");
      const { jsonPath } = path;
      if (taken.has(jsonPath)) throw new BadField(jsonPath, "is given by the path and must not be in the query");
      if (given.has(jsonPath)) throw new BadField(jsonPath, "is given twice");
      given.add(jsonPath);
      const problem = textProblem(path.field);
      if (problem !== undefined) throw new BadField(jsonPath, `${problem}, which a query cannot say`);
      setFromTexts(message, path, texts);
    }
  };
}

/**
 * Takes a query string apart, by the rules of HTML forms ("+" is a space).
 *
 * @returns Texts by name, in their order; names may repeat.
 * @throws BadField for broken percent-encoding, where the usual parsers guess.
 */
export function parseQuery(query: string): Map<string, string[]> {
  const parameters = new Map<string, string[]>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeForm(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? "" : decodeForm(pair.slice(equals + 1));
    const values = parameters.get(name);
    if (values === undefined) parameters.set(name, [value]);
    else values.push(value);
  }
  return parameters;
}

function decodeForm(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new BadField("", "the query is not valid percent-encoded UTF-8");
  }
}
