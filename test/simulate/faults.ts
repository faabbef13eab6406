import type { Chance } from "./chance.ts";
import type { Clockwork, Life } from "./clockwork.ts";

/** What can go wrong, and how probable that is each time that it could, before a seed makes it more or less. */
const PROBABILITIES = {
  "connection cut before the statement": 0.002,
  "connection cut before the answer": 0.002,
  "connection cut before the answer to COMMIT": 0.01,
  "message not taken by the broker": 0.02,
  "acknowledgement of the broker lost": 0.02,
  "messages taken in part": 0.03,
  "messages taken late, after an error": 0.01,
  "broker away": 0.002,
  rebalance: 0.003,
  "offsets wound back": 0.0015,
  "offset commit lost": 0.03,
  "call lost": 0.03,
  "answer of a call lost": 0.03,
  "bank cannot be reached": 0.04,
  "request to the bank lost": 0.03,
  "answer of the bank lost": 0.04,
  "answer of the bank late": 0.04,
  "bank fails before its work": 0.05,
  "bank fails after its work": 0.04,
  "bank answers broken JSON": 0.04,
  "bank gets a request twice": 0.06,
  "bank does not find what it has": 0.3,
  crash: 0.0016,
  "orderly stop": 0.0003,
} as const;

export type Fault = keyof typeof PROBABILITIES;

export const FAULTS = Object.keys(PROBABILITIES) as Fault[];

/** Half of the faults are absent from a world; the others come up to three times as often. Rare combinations need this. */
const PRESENT_SHARE = 0.6;

/** Decides when what goes wrong, and counts it. */
export class Faults {
  /** Whether anything may go wrong now. */
  on = false;
  readonly counts = new Map<Fault, number>();
  readonly #chance: Chance;
  readonly #clockwork: Clockwork;
  readonly #intensities = new Map<Fault, number>();

  /** @param intensity How much more often than usual things go wrong. */
  constructor(clockwork: Clockwork, intensity = 1) {
    this.#clockwork = clockwork;
    this.#chance = clockwork.chance.fork("faults");
    for (const fault of FAULTS) {
      const present = this.#chance.hits(PRESENT_SHARE);
      const own = this.#chance.between(0.3, 3);
      this.#intensities.set(fault, present ? own * intensity : 0);
    }
  }

  /** Whether this goes wrong now, with what belongs to a life; each call is one occasion. */
  bites(fault: Fault, life: Life): boolean {
    if (!this.on || life === this.#clockwork.world) return false;
    if (!this.#chance.hits(PROBABILITIES[fault] * (this.#intensities.get(fault) ?? 0))) return false;
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
    this.#clockwork.note(`FAULT ${fault}`, life);
    return true;
  }
}
