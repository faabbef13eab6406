/**
 * What a call needs of the signal that may end it: an AbortSignal has all of it, and so has what is lighter. Node's own
 * with one listener costs 8 us of each call at the edge, most of them in collections of the young heap.
 */
export interface CallSignal {
  readonly aborted: boolean;
  /** Why; undefined until it is aborted. */
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
