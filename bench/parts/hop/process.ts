// A process of a hop, caller or called, of one of the ways to make it.
import { closedLoop } from "../closed-loop.ts";
import { serveParent } from "../serve-parent.ts";
import type { Hop, HopSetUp } from "./call.ts";

export type HopWay = "ferry" | "grpc-js" | "http2";

const WAYS: Record<HopWay, () => Promise<Hop>> = {
  ferry: () => import("./ferry.ts"),
  "grpc-js": () => import("./grpc-js.ts"),
  http2: () => import("./http2.ts"),
};

let call: (() => Promise<void>) | undefined;

serveParent({
  async serve({ way, setUp }: { way: HopWay; setUp: HopSetUp }) {
    return (await WAYS[way]()).serve(setUp);
  },
  async connect({ way, port, setUp }: { way: HopWay; port: number; setUp: HopSetUp }) {
    call = await (await WAYS[way]()).connect(port, setUp);
    await call();
  },
  load(options: { seconds: number; inFlight: number }) {
    if (call === undefined) throw new Error("not connected");
    return closedLoop(call, options);
  },
});
