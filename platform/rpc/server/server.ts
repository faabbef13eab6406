import type { DescFile, DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type Interceptor,
  type MethodImpl,
  type MethodImplSpec,
  type ServiceImpl,
} from "@connectrpc/connect";
import { BuildService } from "@ferry/gen/ferry/build/v1/build_pb.ts";
import { Health } from "@ferry/gen/grpc/health/v1/health_pb.ts";
import type { Authenticator } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import type { Component } from "@ferry/platform/lifecycle";
import type { Build, Logger } from "@ferry/platform/telemetry";
import type { TlsOptions } from "../tls.ts";
import type { ServerState } from "./driven-call.ts";
import { createEngine } from "./engine.ts";
import { createHealth, type HealthRegistry } from "./health.ts";
import { DEFAULT_LIMITS, type RpcServerLimits } from "./limits.ts";
import { serveMethod } from "./method.ts";
import { reflectionRoutes } from "./reflection.ts";

export interface RpcServerOptions {
  /** Name of the service, for the log. */
  service: string;
  /** 0 for any free one. */
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  routes(router: ConnectRouter): void;
  authenticator: Authenticator;
  logger: Logger;
  build: Build;
  limits?: Partial<RpcServerLimits>;
  /** Plaintext when absent. With an authority callers must prove who they are. */
  tls?: TlsOptions;
  /** Connect interceptors around the handlers, the first outermost. They run after the policy of the contract. */
  interceptors?: readonly Interceptor[];
  /** Why the process cannot do its work now, for the health service; undefined when it can. */
  unready?(): string | undefined;
}

export interface RpcServer extends Component {
  start(): Promise<void>;
  stop(): Promise<void>;
  unready(): string | undefined;
  /** The port that it listens on. Throws before the start. */
  readonly port: number;
  readonly health: Pick<HealthRegistry, "set">;
}

/**
 * A gRPC server of Connect handlers, with health, reflection (v1, v1alpha) and BuildService.
 *
 * What the contract says of an rpc is done before its handler runs: authentication, authorization,
 * idempotency key, field rules, deadline. Handlers throw FerryError; anything else is INTERNAL, logged.
 *
 * @throws Error when an rpc has no policy, rules that do not compile, or two implementations.
 */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { logger, host = "127.0.0.1" } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const state: ServerState = { authenticator: options.authenticator, logger, limits, inFlight: 0, endless: new Set() };
  let phase: "new" | "serving" | "stopping" = "new";
  let port: number | undefined;

  const unready = () => (phase === "serving" ? undefined : phase === "new" ? "not listening yet" : "stopping");
  const routed = collect(options.routes);
  const health = createHealth({
    services: [...routed.services, BuildService].map(({ typeName }) => typeName),
    unready: () => unready() ?? options.unready?.(),
  });
  const files = new Set<DescFile>([...routed.services, BuildService, Health].map(({ file }) => file));
  const own = collect((router) => {
    router.service(BuildService, { getBuild: () => options.build });
    health.routes(router);
    reflectionRoutes([...files])(router);
  });
  const methods = [
    ...routed.specs.map((spec) => serveMethod(spec, options.interceptors ?? [], limits.maxMessageBytes)),
    ...own.specs.map((spec) => serveMethod(spec, [], limits.maxMessageBytes)),
  ];
  const engine = createEngine(methods, state);

  return {
    name: "rpc",
    health,
    unready,
    get port() {
      if (port === undefined) throw new Error("the rpc server is not started");
      return port;
    },
    async start() {
      port = await engine.listen(host, options.port, options.tls);
      // The stop came while it began to listen, and had nothing to stop.
      if ((phase as string) === "stopping") return void (await engine.drain(0));
      phase = "serving";
      logger.info({ service: options.service, host, port }, "rpc server listens");
    },
    async stop() {
      if (phase === "stopping") return;
      const listened = phase === "serving";
      phase = "stopping";
      if (!listened) return;
      health.changed();
      const drained = engine.drain(limits.drainTimeoutMs);
      // Streams without a deadline would never end by themselves. Watchers of the health have been told by now.
      setImmediate(() => {
        for (const call of state.endless) call.fail(new FerryError("UNAVAILABLE", "the server is stopping"));
      });
      if ((await drained) === "forced") logger.warn({ inFlight: state.inFlight }, "calls were cut off by the stop");
    },
  };
}

/** A Connect router that only takes down what it is given. */
function collect(routes: (router: ConnectRouter) => void): { services: Set<DescService>; specs: MethodImplSpec[] } {
  const services = new Set<DescService>();
  const specs: MethodImplSpec[] = [];
  const router: ConnectRouter = {
    handlers: [],
    service<T extends DescService>(service: T, implementation: Partial<ServiceImpl<T>>) {
      services.add(service);
      specs.push(...Object.values(createServiceImplSpec(service, implementation).methods));
      return router;
    },
    rpc<M extends DescMethod>(method: M, implementation: MethodImpl<M>) {
      services.add(method.parent);
      specs.push(createMethodImplSpec(method, implementation));
      return router;
    },
  };
  routes(router);
  return { services, specs };
}
