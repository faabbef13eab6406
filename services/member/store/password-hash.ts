import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { FerryError } from "@ferry/platform/errors";

/** OWASP's password storage cheat sheet, 2025: argon2id with 19 MiB, two passes, one lane. */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Each hash holds a thread of the pool and its memory for some 30 ms: two at once leave the machine its work. */
const MAX_CONCURRENT = 2;
/** At that pace a caller waits about one second at most. */
const MAX_WAITING = 64;

/** PHC string format; only our own algorithm, with numbers that bound what a stored hash can make us do. */
const PHC = /^\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=(\d)\$([\w+/]{11,86})\$([\w+/]{16,86})$/;

const derive = promisify(argon2);
const toText = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");

/** Hashes passwords, and checks them against hashes. */
export interface PasswordHasher {
  /** @returns PHC string. @throws FerryError OVERLOADED when too many wait. */
  hash(password: string): Promise<string>;
  /**
   * Checks a password, in the same time whether there is a hash or not.
   *
   * @param stored PHC string; undefined when there is nobody to compare with: always false.
   * @throws FerryError OVERLOADED when too many wait.
   */
  verify(password: string, stored: string | undefined): Promise<boolean>;
}

interface Parameters {
  memory: number;
  passes: number;
  parallelism: number;
  nonce: Buffer;
  tagLength: number;
}

async function tagOf(password: string, parameters: Parameters): Promise<Buffer> {
  return derive("argon2id", { ...parameters, message: Buffer.from(password.normalize("NFKC")) });
}

function parse(stored: string): { parameters: Parameters; tag: Buffer } {
  const [, memory, passes, parallelism, salt = "", tagText = ""] = PHC.exec(stored) ?? [];
  if (memory === undefined) throw new Error("a stored password hash is not of the form that we write");
  const tag = Buffer.from(tagText, "base64");
  const nonce = Buffer.from(salt, "base64");
  const numbers = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  return { parameters: { ...numbers, nonce, tagLength: tag.length }, tag };
}

export function createPasswordHasher({
  maxConcurrent = MAX_CONCURRENT,
  maxWaiting = MAX_WAITING,
} = {}): PasswordHasher {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (running >= maxConcurrent) {
      if (waiting.length >= maxWaiting)
        throw new FerryError("OVERLOADED", "too many log-ins wait for their turn", { retryAfterMs: 1_000 });
      await new Promise<void>((resolve) => waiting.push(resolve)); // Its turn is handed over, still counted.
    } else running++;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  }

  const fresh = (): Parameters => ({
    memory: MEMORY_KIB,
    passes: PASSES,
    parallelism: LANES,
    nonce: randomBytes(SALT_BYTES),
    tagLength: TAG_BYTES,
  });
  const nobody = { parameters: fresh(), tag: randomBytes(TAG_BYTES) };

  return {
    hash: (password) =>
      inTurn(async () => {
        const parameters = fresh();
        const tag = await tagOf(password, parameters);
        const { memory, passes, parallelism, nonce } = parameters;
        return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${toText(nonce)}$${toText(tag)}`;
      }),
    verify: (password, stored) =>
      inTurn(async () => {
        const { parameters, tag } = stored === undefined ? nobody : parse(stored);
        return timingSafeEqual(await tagOf(password, parameters), tag) && stored !== undefined;
      }),
  };
}
