import { BadField } from "./errors.ts";
import type { PathTemplate } from "./path-template.ts";

/** What a path matched: the route, and the segments as they came, still percent-encoded. */
export interface TrieMatch<Route> {
  route: Route;
  segments: readonly string[];
}

/** Routes that end at one point of the path, by verb and then by HTTP method. */
type Ends<Route> = Map<string, Map<string, Route>>;

interface Node<Route> {
  literals: Map<string, Node<Route>>;
  one: Node<Route> | undefined;
  ends: Ends<Route>;
  /** Ends of "**", which takes all that is left, even nothing. */
  restEnds: Ends<Route>;
}

const emptyNode = <Route>(): Node<Route> => ({
  literals: new Map(),
  one: undefined,
  ends: new Map(),
  restEnds: new Map(),
});

/**
 * Routes by path template. Texts go before "*", and "*" before "**"; a verb (":cancel") goes before a segment
 * that happens to have a colon in it. Only templates decide how long a search takes, not the path.
 */
export class RouteTrie<Route> {
  readonly #root = emptyNode<Route>();

  /** Adds a route; the last one of a shape and method wins, callers look for conflicts before. */
  add(template: PathTemplate, httpMethod: string, route: Route): void {
    let node = this.#root;
    for (const segment of template.segments) {
      if (segment.kind === "rest") {
        endsOf(node.restEnds, template.verb).set(httpMethod, route);
        return;
      }
      if (segment.kind === "literal") {
        const next = node.literals.get(segment.text) ?? emptyNode<Route>();
        node.literals.set(segment.text, next);
        node = next;
      } else {
        node.one ??= emptyNode<Route>();
        node = node.one;
      }
    }
    endsOf(node.ends, template.verb).set(httpMethod, route);
  }

  /**
   * Finds the route of a path, or the methods that the path has instead. HEAD is answered by GET's route where it
   * has none of its own (RFC 9110, 9.3.2).
   *
   * @param path The path of the request target, without the query.
   * @returns undefined when no route has the path, with any method.
   * @throws BadField when the path's percent-encoding is broken.
   */
  find(httpMethod: string, path: string): TrieMatch<Route> | { allowed: readonly string[] } | undefined {
    if (!path.startsWith("/")) return undefined;
    const raw = path.slice(1).split("/");
    const last = raw.at(-1) ?? "";
    const colon = last.lastIndexOf(":");
    if (colon !== -1) {
      const found = this.#search(
        [...raw.slice(0, -1), last.slice(0, colon)],
        decode(last.slice(colon + 1)),
        httpMethod,
      );
      if (found !== undefined) return found;
    }
    return this.#search(raw, "", httpMethod);
  }

  #search(raw: readonly string[], verb: string, httpMethod: string) {
    const decoded = raw.map(decode);
    const allowed = new Set<string>();
    const take = (ends: Ends<Route>): Route | undefined => {
      const methods = ends.get(verb);
      if (methods === undefined) return undefined;
      const route = methods.get(httpMethod) ?? (httpMethod === "HEAD" ? methods.get("GET") : undefined);
      if (route === undefined) for (const method of methods.keys()) allowed.add(method);
      return route;
    };
    const walk = (node: Node<Route>, at: number): Route | undefined => {
      if (at === raw.length) return take(node.ends) ?? take(node.restEnds);
      const segment = decoded[at]!;
      const literal = node.literals.get(segment);
      const byLiteral = literal === undefined ? undefined : walk(literal, at + 1);
      if (byLiteral !== undefined) return byLiteral;
      const byOne = node.one === undefined || segment === "" ? undefined : walk(node.one, at + 1);
      return byOne ?? take(node.restEnds);
    };
    const route = walk(this.#root, 0);
    if (route !== undefined) return { route, segments: raw };
    return allowed.size > 0 ? { allowed: [...allowed].sort() } : undefined;
  }
}

function endsOf<Route>(ends: Ends<Route>, verb: string): Map<string, Route> {
  const methods = ends.get(verb) ?? new Map<string, Route>();
  ends.set(verb, methods);
  return methods;
}

/** Percent-decoding of one segment. */
export function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadField("", "the path is not valid percent-encoded UTF-8");
  }
}

/** Decoding of a value that spans segments: an encoded slash stays encoded, so that it is told from a real one. */
export function decodeSegments(segments: readonly string[]): string {
  return segments
    .map((segment) =>
      segment
        .split(/(%2[fF])/)
        .map((part, index) => (index % 2 ? part : decode(part)))
        .join(""),
    )
    .join("/");
}
