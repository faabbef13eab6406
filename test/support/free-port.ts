import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** From here on: above every platform's (see findOffset), below 32,768, from where on the system gives them away by itself. */
export const FIRST_FREE_PORT = 20_000;
const BLOCKS = 500;
/** The first port of a block says whose it is. */
const BLOCK = 20;
const ATTEMPTS = 100;

export function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
  });
}

/** Listens on a port until the process ends. @returns false when something else does. */
export function claim(port: number): Promise<boolean> {
  return new Promise((done) => {
    const claimed = createServer();
    claimed.once("error", () => done(false));
    claimed.listen(port, "127.0.0.1", () => {
      claimed.unref();
      done(true);
    });
  });
}

async function claimBlock(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = FIRST_FREE_PORT + randomInt(BLOCKS) * BLOCK;
    if (await claim(first)) return first;
  }
  throw new Error("no block of ports found that nobody else has claimed");
}

let given = 0;
let block: Promise<number> | undefined;

/** A port that nobody listens on, and that stays so: it is of a block that no other process takes any of, and given once. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const place = given++ % (BLOCK - 1);
    if (place === 0) block = claimBlock();
    const port = (await block!) + 1 + place;
    if (await isFree(port)) return port;
  }
  throw new Error("no port found that nobody listens on");
}
