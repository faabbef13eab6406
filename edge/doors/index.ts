import type { DescMethod } from "@bufbuild/protobuf";
import { cors } from "@connectrpc/connect";
import type { Logger } from "@ferry/platform/telemetry";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type AdmissionOptions, createAdmission } from "../admission.ts";
import { bodyLimitOf, limitChunkedBodies } from "../body-limit.ts";
import { hasSecret } from "../compression.ts";
import type { EdgePlan, EdgeRoutes } from "../routes.ts";
import type { Streams } from "../streams.ts";
import { parseJson } from "../transcoding/json-text.ts";
import { readMessage } from "../transcoding/read-message.ts";
import { forwardTo, longestMs } from "./forward.ts";
import { contentTypes, createHandler, type Door } from "./handlers.ts";
import { readStrictly } from "./read-strictly.ts";
import { addDoorRoute } from "./route.ts";
import { typeCheck } from "./wire.ts";

export { DOORS, type Door } from "./handlers.ts";

/** Headers that pages of other origins may send to these doors and read from them, beside those of REST. */
export const DOOR_CORS = { allowed: cors.allowedHeaders, exposed: cors.exposedHeaders };

export interface DoorsOptions extends Omit<AdmissionOptions, "checkBody"> {
  /** The protocols to speak; with none, nothing is added. */
  doors: readonly Door[];
  streams: Streams;
  logger: Logger;
}

/**
 * Serves the rpcs that have a route over the Connect protocol and gRPC-Web too, each at
 * `POST /<package>.<Service>/<Method>`: the same stations on the way in, the same call behind.
 */
export function addDoors(app: FastifyInstance, options: DoorsOptions): void {
  const { doors, routes, streams, authority, logger, maxBodyBytes } = options;
  if (doors.length === 0) return;
  const offered = doorRoutes(routes);
  const preParsing = limitChunkedBodies(maxBodyBytes);
  for (const plan of offered.plans) {
    const { rpc } = plan.route;
    const maxMessageBytes = bodyLimitOf(plan, maxBodyBytes);
    const method = forwardTo(plan, { streams, authority, logger });
    const handler = createHandler(doors, method, {
      maxMessageBytes,
      packs: isRead(rpc, routes) && !hasSecret(rpc.output),
    });
    const checkBody = typeCheck(handler, contentTypes(doors, rpc));
    const admit = createAdmission({ ...options, routes: offered, checkBody });
    const read = (request: FastifyRequest) => readStrictly(request, plan, maxMessageBytes);
    addDoorRoute(app, { handler, capMs: longestMs(plan), admit, preParsing, read, logger });
  }
}

/** The paths of the doors beside those of REST, for who only asks which methods a path has. */
export function withDoors(routes: EdgeRoutes, doors: readonly Door[]): EdgeRoutes {
  if (doors.length === 0) return routes;
  const offered = doorRoutes(routes);
  return { plans: routes.plans, find: (method, path) => routes.find(method, path) ?? offered.find(method, path) };
}

function doorRoutes(routes: EdgeRoutes): EdgeRoutes {
  const plans = plansByPath(routes);
  return {
    plans: [...plans.values()],
    find(httpMethod, path) {
      const plan = plans.get(path);
      if (plan === undefined) return undefined;
      return httpMethod === "POST" ? { plan, segments: [] } : { allowed: ["POST"] };
    },
  };
}

/** Whether an rpc changes nothing, which REST says by its method. */
function isRead(rpc: DescMethod, { plans }: EdgeRoutes): boolean {
  return plans.some(({ route }) => route.rpc === rpc && route.httpMethod === "GET");
}

/** One plan for each rpc, however many paths it has in REST: its message is the body, and the body is JSON or protobuf. */
function plansByPath({ plans }: EdgeRoutes): ReadonlyMap<string, EdgePlan> {
  const byPath = new Map<string, EdgePlan>();
  for (const plan of plans) {
    const { rpc } = plan.route;
    const path = `/${rpc.parent.typeName}/${rpc.name}`;
    if (byPath.has(path)) continue;
    const readRequest: EdgePlan["route"]["readRequest"] = ({ body }) =>
      readMessage(rpc.input, parseJson(body ?? new Uint8Array(0)));
    const template = { ...plan.route.template, source: path };
    const route = {
      ...plan.route,
      httpMethod: "POST",
      template,
      takesBody: true,
      responseField: undefined,
      readRequest,
    };
    byPath.set(path, { ...plan, route, rawBodies: new Map() });
  }
  return byPath;
}
