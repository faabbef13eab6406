import { BadField } from "./errors.ts";

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
