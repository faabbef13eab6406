// The ways by which the processes of a platform call each other, each through a proxy of its own.
import { SERVICE_NAMES, SERVICE_PORTS, type ServiceName } from "../../local/up/plan.ts";
import type { Detours } from "../support/detours/detours.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

export interface Way {
  caller: string;
  callee: ServiceName;
  proxy: TcpProxy;
}

const CALLERS = [...SERVICE_NAMES, "edge"] as const;

export class Ways {
  readonly all: readonly Way[];

  private constructor(all: readonly Way[]) {
    this.all = all;
  }

  /**
   * Opens a way from every process to each of the others: nobody lists who calls whom, see `used`.
   *
   * @param offset Of the platform's ports.
   * @param callees The services that are called through proxies.
   */
  static async open(offset: number, callees: readonly ServiceName[] = SERVICE_NAMES): Promise<Ways> {
    const pairs = callees.flatMap((callee) => CALLERS.map((caller) => ({ caller, callee })));
    const others = pairs.filter(({ caller, callee }) => caller !== callee);
    return new Ways(
      await Promise.all(
        others.map(async (pair) => ({
          ...pair,
          proxy: await TcpProxy.start({ port: SERVICE_PORTS[pair.callee] + offset }),
        })),
      ),
    );
  }

  get routes(): NonNullable<Detours["routes"]> {
    const byCaller = Map.groupBy(this.all, ({ caller }) => caller);
    return Object.fromEntries(
      [...byCaller].map(([caller, ways]) => [
        caller,
        Object.fromEntries(ways.map(({ callee, proxy }) => [callee, `http://127.0.0.1:${proxy.port}`])),
      ]),
    );
  }

  /** Those that somebody has taken: they carry a connection now. */
  get used(): Way[] {
    return this.all.filter(({ proxy }) => proxy.open > 0);
  }

  /** Chunks that did not come through. */
  get held(): number {
    return this.all.reduce((sum, { proxy }) => sum + proxy.counts.held, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map(({ proxy }) => proxy.close()));
  }
}
