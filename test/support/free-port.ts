import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Above the ports of platforms at any offset (./platform.ts), below those that the system gives out by itself. */
const [FIRST, END] = [32_110, 32_768];
const TRIES = 100;

/** Holds the UDP port of the same number until this process ends: nobody else who asks here is given it meanwhile. */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const claimed = createSocket("udp4").unref();
    claimed.once("error", () => resolve(false));
    claimed.bind({ port, address: "127.0.0.1", exclusive: true }, () => resolve(true));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A port that nobody listens on, and that stays so, also while its server is away. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(FIRST, END);
    if ((await claim(port)) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found in ${TRIES} tries`);
}
