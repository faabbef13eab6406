import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { ContractError } from "./errors.ts";
import { type Binding, bindingsOf } from "./http-rule.ts";
import { shapeOf } from "./path-template.ts";
import { compileRoute, type Route } from "./route.ts";
import { RouteTrie, type TrieMatch } from "./route-trie.ts";

export interface OfferedRoute extends Route {
  httpMethod: string;
}

/** All routes of some services. */
export interface RouteTable {
  readonly routes: readonly OfferedRoute[];
  /**
   * Finds the route of a method and a path (without query), or the methods that the path has instead.
   * @returns undefined when no route has the path.
   * @throws BadField when the path's percent-encoding is broken.
   */
  find(httpMethod: string, path: string): TrieMatch<OfferedRoute> | { allowed: readonly string[] } | undefined;
}

/**
 * Compiles the routes of services from the google.api.http annotations of their rpcs. Rpcs without one have no route.
 *
 * @throws ContractError that names, with file and rpc, every rule that cannot be served and every two that
 *   claim the same method and path.
 */
export function compileRoutes(services: Iterable<DescService>): RouteTable {
  const problems: string[] = [];
  const routes: OfferedRoute[] = [];
  const trie = new RouteTrie<OfferedRoute>();
  const claims = new Map<string, DescMethod>();
  for (const rpc of [...services].flatMap((service) => service.methods)) {
    try {
      for (const binding of bindingsOf(rpc)) routes.push(...offer(rpc, binding));
    } catch (error) {
      problems.push(`${nameOf(rpc)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const route of routes) {
    const claim = `${route.httpMethod} ${shapeOf(route.template)}`;
    const other = claims.get(claim);
    if (other !== undefined) problems.push(`${nameOf(route.rpc)}: claims ${claim}, as ${nameOf(other)} does`);
    claims.set(claim, route.rpc);
    trie.add(route.template, route.httpMethod, route);
  }
  if (problems.length > 0) throw new ContractError(problems);
  return { routes, find: (httpMethod, path) => trie.find(httpMethod, path) };
}

function offer(rpc: DescMethod, binding: Binding): OfferedRoute[] {
  return binding.httpMethods.map((httpMethod) => {
    const route = compileRoute(rpc, binding);
    if (route.takesBody && ["GET", "HEAD"].includes(httpMethod)) throw new Error(`${httpMethod} has no body`);
    return { ...route, httpMethod };
  });
}

/** "ferry/ledger/v1/ledger.proto: rpc ferry.ledger.v1.LedgerService.GetAccount". */
export function nameOf(rpc: DescMethod): string {
  return `${rpc.parent.file.proto.name}: rpc ${rpc.parent.typeName}.${rpc.name}`;
}
