import { createRegistry, type DescFile, type DescMethod, type DescService, type Registry } from "@bufbuild/protobuf";
import { ContractError } from "./errors.ts";
import { type Binding, bindingsOf } from "./http-rule.ts";
import { areAmbiguous, shapeOf } from "./path-template.ts";
import { compileRoute, type Route } from "./route.ts";
import { RouteTrie, type TrieMatch } from "./route-trie.ts";

export interface OfferedRoute extends Route {
  /** "GET" and so on; of a rule that leaves the method open, one route for each that it stands for. */
  httpMethod: string;
}

/** All routes of some services. */
export interface RouteTable {
  readonly routes: readonly OfferedRoute[];
  /**
   * Finds the route of a method and a path (without query), or the methods that the path has instead. HEAD finds
   * GET's route where it has none of its own.
   * @returns undefined when no route has the path.
   * @throws BadField when the path's percent-encoding is broken.
   */
  find(httpMethod: string, path: string): TrieMatch<OfferedRoute> | { allowed: readonly string[] } | undefined;
}

export interface CompileOptions {
  /** The types that a google.protobuf.Any may hold. Default: all of the services' files and of what these import. */
  registry?: Registry;
}

/**
 * Compiles the routes of services from the google.api.http annotations of their rpcs. Rpcs without one have no route.
 *
 * @throws ContractError that names, with file and rpc, every rule that cannot be served, every two that claim the
 *   same method and path, and every two that have paths in common of which neither is the more exact.
 */
export function compileRoutes(services: Iterable<DescService>, options: CompileOptions = {}): RouteTable {
  const all = [...services];
  const registry = options.registry ?? registryOf(all);
  const problems: string[] = [];
  const named: OfferedRoute[] = [];
  const open: OfferedRoute[] = [];
  for (const rpc of all.flatMap((service) => service.methods)) {
    const attempt = <T>(what: () => T): T | undefined => {
      try {
        return what();
      } catch (error) {
        problems.push(`${nameOf(rpc)}: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      }
    };
    for (const binding of attempt(() => bindingsOf(rpc)) ?? [])
      (binding.anyMethod ? open : named).push(...(attempt(() => offer(rpc, binding, registry)) ?? []));
  }
  const routes = claimed(named, open, problems);
  if (problems.length > 0) throw new ContractError(problems);
  const trie = new RouteTrie<OfferedRoute>();
  for (const route of routes) trie.add(route.template, route.httpMethod, route);
  return { routes, find: (httpMethod, path) => trie.find(httpMethod, path) };
}

/** The routes that stay: what a rule leaves open goes to a rule that names it. Conflicts are added to the problems. */
function claimed(named: readonly OfferedRoute[], open: readonly OfferedRoute[], problems: string[]): OfferedRoute[] {
  const claims = new Map<string, OfferedRoute>();
  const claimOf = ({ httpMethod, template }: OfferedRoute) => `${httpMethod} ${shapeOf(template)}`;
  const kept: OfferedRoute[] = [];
  const isNamed = new Set(named.map(claimOf));
  for (const route of [...named, ...open.filter((candidate) => !isNamed.has(claimOf(candidate)))]) {
    const claim = claimOf(route);
    const other = claims.get(claim);
    if (other !== undefined) problems.push(`${nameOf(route.rpc)}: claims ${claim}, as ${nameOf(other.rpc)} does`);
    else
      for (const rival of kept)
        if (rival.httpMethod === route.httpMethod && areAmbiguous(rival.template, route.template))
          problems.push(
            `${nameOf(route.rpc)}: ${claim} and ${shapeOf(rival.template)} of ${nameOf(rival.rpc)} have paths in common, and neither is the more exact`,
          );
    claims.set(claim, route);
    kept.push(route);
  }
  return kept;
}

function offer(rpc: DescMethod, binding: Binding, registry: Registry): OfferedRoute[] {
  const route = compileRoute(rpc, binding, registry);
  return binding.httpMethods.map((httpMethod) => {
    if (route.takesBody && ["GET", "HEAD"].includes(httpMethod)) throw new Error(`${httpMethod} has no body`);
    return { ...route, httpMethod };
  });
}

/** The types of some services' files and of all that these import. */
function registryOf(services: readonly DescService[]): Registry {
  const files = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const imported of file.dependencies) visit(imported);
  };
  for (const { file } of services) visit(file);
  return createRegistry(...files);
}

/** "ferry/ledger/v1/ledger.proto: rpc ferry.ledger.v1.LedgerService.GetAccount". */
export function nameOf(rpc: DescMethod): string {
  return `${rpc.parent.file.proto.name}: rpc ${rpc.parent.typeName}.${rpc.name}`;
}
