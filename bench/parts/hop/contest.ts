import { generateKeyPair } from "@ferry/platform/auth";
import { Child } from "../child.ts";
import { type Contender, type ContestOptions, type ContestResult, compete } from "../contest.ts";
import type { HopWay } from "./process.ts";

/** Calls under way at once: about what the platform has at its full speed. */
const IN_FLIGHT = 64;
export const HOP_WAYS: readonly HopWay[] = ["ferry", "grpc-js", "http2"];

/** One unary hop, ours beside grpc-js by hand and beside node:http2: CPU of caller and called for a call. */
export async function contestHop(options: ContestOptions): Promise<ContestResult> {
  const setUp = generateKeyPair();
  const children: Child[] = [];
  const start = () => {
    const child = new Child("hop/process.ts");
    children.push(child);
    return child;
  };
  try {
    const contenders: Contender[] = [];
    for (const way of HOP_WAYS) {
      const [server, client] = [start(), start()];
      const port = await server.ask<number>("serve", { way, setUp });
      await client.ask("connect", { way, port, setUp });
      contenders.push({
        name: way,
        roots: { client: client.pid, server: server.pid },
        run: (seconds) => client.ask("load", { seconds, inFlight: IN_FLIGHT }),
      });
    }
    return await compete(contenders, options);
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}
