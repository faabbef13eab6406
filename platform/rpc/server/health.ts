import type { ConnectRouter } from "@connectrpc/connect";
import {
  Health,
  type HealthCheckResponse_ServingStatus as HealthStatus,
  HealthCheckResponse_ServingStatus as Status,
} from "@ferry/gen/grpc/health/v1/health_pb.ts";
import { FerryError } from "@ferry/platform/errors";

/** How often watchers are told of a change that only a question to the process can find, in milliseconds. */
const WATCH_INTERVAL_MS = 1_000;

/** What grpc.health.v1 answers. The name "" is the server as a whole. */
export interface HealthRegistry {
  /** Sets one service's own status; the server as a whole must be serving too for it to be told as SERVING. */
  set(service: string, serving: boolean): void;
  routes(router: ConnectRouter): void;
}

interface Options {
  services: readonly string[];
  /** Why the server cannot do its work now; undefined when it can. */
  unready(): string | undefined;
}

/** A registry in which every service is serving as long as the server is ready. */
export function createHealth({ services, unready }: Options): HealthRegistry & { changed(): void } {
  const serving = new Map(["", ...services].map((name) => [name, true]));
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const wake of watchers) wake();
  };

  function find(service: string): HealthStatus | undefined {
    const own = serving.get(service);
    if (own === undefined) return undefined;
    return own && unready() === undefined ? Status.SERVING : Status.NOT_SERVING;
  }

  async function* watch(service: string, signal: AbortSignal) {
    let wake = () => {};
    const notify = () => wake();
    const timer = setInterval(notify, WATCH_INTERVAL_MS).unref();
    watchers.add(notify);
    signal.addEventListener("abort", notify, { once: true });
    let told: HealthStatus | undefined;
    try {
      while (!signal.aborted) {
        const status = find(service) ?? Status.SERVICE_UNKNOWN;
        if (status !== told) {
          told = status;
          yield { status };
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      clearInterval(timer);
      watchers.delete(notify);
      signal.removeEventListener("abort", notify);
    }
  }

  return {
    changed,
    set(service, isServing) {
      serving.set(service, isServing);
      changed();
    },
    routes(router) {
      router.service(Health, {
        check({ service }) {
          const status = find(service);
          if (status === undefined) throw new FerryError("NOT_FOUND", `no service ${service}`);
          return { status };
        },
        list: () => ({
          statuses: Object.fromEntries([...serving.keys()].map((name) => [name, { status: find(name) }])),
        }),
        watch: ({ service }, { signal }) => watch(service, signal),
      });
    },
  };
}
