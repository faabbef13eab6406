import type { CallSignal } from "@ferry/platform/rpc";

const NOBODY: (() => void)[] = [];

/**
 * Ends what belongs to a request. It is used like an AbortController, whose signal is only made when somebody asks for
 * it: a call that takes this itself as its signal spares the request what one of Node's costs, 8 us.
 */
export class Abort implements CallSignal {
  aborted = false;
  reason: unknown;
  private listeners: (() => void)[] = NOBODY;
  private controller: AbortController | undefined;

  /** Aborted with this, for who needs an AbortSignal. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** The first time counts. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.controller?.abort(reason);
    const { listeners } = this;
    this.listeners = NOBODY;
    for (const listener of listeners) listener.call(this);
  }

  addEventListener(_type: "abort", listener: () => void): void {
    if (!this.aborted) this.listeners = [...this.listeners, listener];
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners = this.listeners.filter((other) => other !== listener);
  }
}
