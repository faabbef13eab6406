import { FerryError } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import { Channel, type ChannelCredentials, type ChannelOptions, connectivityState as State } from "@grpc/grpc-js";
import { type SilentSockets, trackSilentSockets } from "./sockets.ts";

export interface ConnectionOptions {
  /** As "dns:///ledger:9102". */
  target: string;
  /** Name of the called service, for errors and the log. */
  audience: string;
  credentials: ChannelCredentials;
  engine: ChannelOptions;
  connectTimeoutMs: number;
  /** A channel that has been connecting for this long is made anew, in milliseconds. */
  renewAfterMs: number;
  logger: Logger;
}

/** Even when the time for connecting is over, an event loop that was busy gets this long to notice a connection. */
const SHORTEST_WAIT_MS = 50;

/** The call could not be sent because there was no connection in time: trying again would only wait as long once more. */
export class NoConnection extends FerryError {}

/**
 * The engine's channel, watched. The engine has no time-out for connecting: a peer that accepts TCP
 * and never speaks leaves a channel connecting for ever, and each call waits until its deadline.
 */
export class Connection {
  channel: Channel;
  private readonly options: ConnectionOptions;
  private readonly sockets: SilentSockets;
  private state: State = State.IDLE;
  private connectingSinceMs: number | undefined;
  private renewal: NodeJS.Timeout | undefined;
  private readonly waiting = new Set<() => void>();
  private closed = false;

  constructor(options: ConnectionOptions) {
    this.options = options;
    this.sockets = trackSilentSockets(options.credentials);
    this.channel = this.open();
    this.observe(this.channel);
  }

  /**
   * Waits until a call can be sent, or is known to fail at once.
   *
   * @returns undefined when there is nothing to wait for, so that a call on a good connection waits for no promise.
   * @throws NoConnection (UNAVAILABLE) after the time for connecting.
   */
  ready(deadlineAtMs: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.state === State.READY) return undefined;
    if (this.closed) throw new FerryError("UNAVAILABLE", `the channel to ${this.options.audience} is closed`);
    if (this.state === State.IDLE) {
      this.channel.getConnectivityState(true);
      this.note(this.channel.getConnectivityState(false));
    }
    return this.isPending() ? this.connected(deadlineAtMs, signal) : undefined;
  }

  /** Why calls would fail now; undefined when they can be sent, or nobody has tried yet. */
  unready(): string | undefined {
    if (this.closed) return "closed";
    const { audience, target, connectTimeoutMs } = this.options;
    const since = this.connectingSinceMs;
    const late = since !== undefined && Date.now() - since > connectTimeoutMs;
    return late || this.state === State.TRANSIENT_FAILURE ? `no connection to ${audience} (${target})` : undefined;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.renewal);
    this.channel.close();
    this.sockets.destroy();
    this.state = State.SHUTDOWN;
    this.wake();
  }

  private open(): Channel {
    return new Channel(this.options.target, this.options.credentials, this.options.engine);
  }

  private isPending(): boolean {
    return this.state === State.CONNECTING || this.state === State.IDLE;
  }

  private async connected(deadlineAtMs: number, signal: AbortSignal | undefined): Promise<void> {
    const now = Date.now();
    const since = this.connectingSinceMs ?? now;
    const untilMs = Math.max(now + SHORTEST_WAIT_MS, since + this.options.connectTimeoutMs);
    const timer = { over: false, id: undefined as NodeJS.Timeout | undefined };
    const expire = () => {
      timer.over = true;
      this.wake();
    };
    timer.id = setTimeout(expire, Math.min(untilMs, deadlineAtMs) - now);
    signal?.addEventListener("abort", expire, { once: true });
    try {
      while (this.isPending() && !timer.over) await new Promise<void>((resolve) => this.waiting.add(resolve));
    } finally {
      clearTimeout(timer.id);
      signal?.removeEventListener("abort", expire);
    }
    if (!this.isPending() || signal?.aborted === true) return;
    // By which limit it was, not by the clock: a timer may fire a moment early.
    if (deadlineAtMs <= untilMs) throw new FerryError("DEADLINE_EXCEEDED", "the time for the call is over");
    throw this.noConnection();
  }

  private noConnection(): FerryError {
    const { audience, target, connectTimeoutMs } = this.options;
    const cause = new Error(`${target} did not accept a connection within ${connectTimeoutMs} ms`);
    return new NoConnection("UNAVAILABLE", `no connection to ${audience} within ${connectTimeoutMs} ms`, { cause });
  }

  /** Keeps `state` that of the channel. */
  private observe(channel: Channel): void {
    if (this.closed || channel !== this.channel) return;
    this.note(channel.getConnectivityState(false));
    channel.watchConnectivityState(this.state, Infinity, () => this.observe(channel));
  }

  private note(state: State): void {
    if (state === this.state) return;
    this.state = state;
    clearTimeout(this.renewal);
    this.connectingSinceMs = undefined;
    if (state === State.CONNECTING) {
      this.connectingSinceMs = Date.now();
      this.renewal = setTimeout(() => this.renew(), this.options.renewAfterMs).unref();
    }
    this.wake();
  }

  private renew(): void {
    const { audience, target, logger, renewAfterMs } = this.options;
    logger.warn({ audience, target, connectingMs: renewAfterMs }, "connection does not come about, starting anew");
    const old = this.channel;
    this.channel = this.open();
    old.close();
    this.sockets.destroy();
    this.state = State.IDLE;
    this.channel.getConnectivityState(true);
    this.observe(this.channel);
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
