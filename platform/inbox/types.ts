import type { Transaction } from "@ferry/platform/db";

export interface Inbox {
  /**
   * Gives those of a set that were not received before, each once, in their order, and remembers
   * them in the transaction.
   */
  admit<Received extends { id: string }>(tx: Transaction, received: readonly Received[]): Promise<Received[]>;
}
