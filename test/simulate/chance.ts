/** Everything that a simulation leaves to chance, from one seed: the same seed gives the same answers to the same questions. */
export interface Chance {
  /** From 0 up to 1. */
  next(): number;
  /** Whether something happens whose probability is given. */
  hits(probability: number): boolean;
  /** A whole number, both ends included. */
  whole(from: number, to: number): number;
  between(from: number, to: number): number;
  pick<T>(from: readonly T[]): T;
  /** Fills bytes. */
  fill(bytes: Uint8Array): void;
  /** A source of its own, so that what one part asks does not change what another one gets. */
  fork(name: string): Chance;
}

/** 32 bits from a text and a start: FNV-1a with a final mix. */
function digest(text: string, start: number): number {
  let hash = start >>> 0;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** sfc32 of Chris Doty-Humphrey's PractRand, which passes its tests with 128 bits of state. */
export function createChance(seed: string): Chance {
  let [a, b, c, counter] = [digest(seed, 0x811c9dc5), digest(seed, 0x9e3779b9), digest(seed, 0x7f4a7c15), 1];

  function next32(): number {
    const sum = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  }
  for (let round = 0; round < 12; round++) next32();

  const next = () => next32() / 0x1_0000_0000;
  return {
    next,
    hits: (probability) => probability > 0 && next() < probability,
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    between: (from, to) => from + next() * (to - from),
    pick: (from) => from[Math.floor(next() * from.length)]!,
    fill(bytes) {
      for (let index = 0; index < bytes.length; index++) bytes[index] = next32() & 0xff;
    },
    fork: (name) => createChance(`${seed}/${name}`),
  };
}
