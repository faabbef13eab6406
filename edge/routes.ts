import { METHODS } from "node:http";
import { getOption } from "@bufbuild/protobuf";
import { method as policyOption, RateClass } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { messageWriter, type WriteMessage } from "@ferry/platform/codec";
import { compileRules, getPolicy, type Policy } from "@ferry/platform/rpc";
import type { Backend } from "./backends.ts";
import { exposedServices } from "./backends.ts";
import { withComposition } from "./composition/index.ts";
import { compileDeprecation, type Deprecated } from "./deprecation.ts";
import { compileEventStream, type EventStreamPlan } from "./event-stream.ts";
import { compileRawBodies, type RawBodies } from "./raw-bodies.ts";
import { compileStatus, type StatusPlan } from "./response-status.ts";
import { chooseBackend } from "./several-backends.ts";
import { ContractError, compileRoutes, nameOf, type OfferedRoute, type RouteTable } from "./transcoding/index.ts";

export type RateClassName = "read" | "write" | "login";

/** A route with all that serving it needs, worked out at start. */
export interface EdgePlan {
  route: OfferedRoute;
  backend: Backend;
  policy: Policy;
  rateClass: RateClassName;
  /** Bodies of other content types than JSON. */
  rawBodies: RawBodies;
  /** The largest body that its contract allows, in bytes; 0: what the edge allows for all. */
  maxBodyBytes: number;
  status: StatusPlan;
  /** Of rpcs that answer a stream. */
  events: EventStreamPlan | undefined;
  /** What callers of a deprecated rpc are told. */
  deprecation: Deprecated | undefined;
  /** @throws FerryError INVALID_REQUEST. */
  checkRules: ReturnType<typeof compileRules>;
  write: WriteMessage;
}

export interface EdgeMatch {
  plan: EdgePlan;
  segments: readonly string[];
}

export interface EdgeRoutes {
  readonly plans: readonly EdgePlan[];
  find(httpMethod: string, path: string): EdgeMatch | { allowed: readonly string[] } | undefined;
}

const RATE_CLASSES: ReadonlyMap<number, RateClassName> = new Map([
  [RateClass.READ, "read"],
  [RateClass.WRITE, "write"],
  [RateClass.LOGIN, "login"],
]);

/**
 * Compiles everything that the edge serves from the contracts.
 *
 * @throws ContractError that names every rpc whose route, policy or rules cannot be served.
 */
export function compileEdgeRoutes(backends: ReadonlyMap<string, Backend>, services = exposedServices): EdgeRoutes {
  const table: RouteTable = compileRoutes(services.map(({ service }) => service));
  const all = withComposition(backends, services);
  const backendsOf = new Map(
    services.map(({ service, backend }) => [service.typeName, [backend].flat().map((name) => all.get(name))]),
  );
  const problems: string[] = [];
  const plans = new Map<OfferedRoute, EdgePlan>();
  for (const route of table.routes) {
    try {
      plans.set(route, compilePlan(route, backendsOf.get(route.rpc.parent.typeName) ?? []));
    } catch (error) {
      problems.push(`${nameOf(route.rpc)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new ContractError(problems);
  return {
    plans: [...plans.values()],
    find(httpMethod, path) {
      const found = table.find(httpMethod, path);
      if (found === undefined || "allowed" in found) return found;
      return { plan: plans.get(found.route)!, segments: found.segments };
    },
  };
}

function compilePlan(route: OfferedRoute, backends: readonly (Backend | undefined)[]): EdgePlan {
  const { rpc } = route;
  if (!METHODS.includes(route.httpMethod) || ["CONNECT", "OPTIONS", "TRACE"].includes(route.httpMethod))
    throw new Error(`the method ${route.httpMethod} is none that the edge can offer`);
  const policy = getPolicy(rpc);
  if (policy.auth === "service") throw new Error("an rpc between services must not have a route");
  const option = getOption(rpc, policyOption);
  const backend = chooseBackend(rpc, option.serviceField, backends);
  const rateClass = RATE_CLASSES.get(option.rateClass);
  if (rateClass === undefined) throw new Error("it has no rate_class");
  const status = compileStatus(rpc.output, option.responseStatus);
  const only = rpc.output.fields.find(({ name }) => name === route.responseField);
  const write = messageWriter(rpc.output, status.replayedField, only, route.registry);
  const { maxBodyBytes } = option;
  const rawBodies = compileRawBodies(route);
  const events = compileEventStream(rpc);
  const checkRules = compileRules(rpc.input, "json");
  const deprecation = compileDeprecation(rpc);
  return { route, backend, policy, rateClass, rawBodies, maxBodyBytes, status, events, deprecation, checkRules, write };
}
