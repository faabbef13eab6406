import { lookup } from "node:dns/promises";
import type { ClientHttp2Session } from "node:http2";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { FerryError } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import { PeerFailed, toFerryError } from "../status.ts";
import type { CallSignal } from "./call-signal.ts";
import { type Keepalive, Peer } from "./peer.ts";

export interface SessionsOptions {
  /** "http" or "https", a name or an address, and a port. */
  url: URL;
  /** Name of the called service, for errors and the log. */
  audience: string;
  tls: ConnectionOptions | undefined;
  connectTimeoutMs: number;
  renewAfterMs: number;
  keepalive?: Keepalive | undefined;
  logger: Logger;
}

/** Even when the time for connecting is over, an event loop that was busy gets this long to notice a connection. */
const SHORTEST_WAIT_MS = 50;

/** The call could not be sent because there was no connection in time: trying again would only wait as long once more. */
export class NoConnection extends PeerFailed {}

/** A name is asked for again at most this often. */
const RESOLVE_EVERY_MS = 5_000;

/**
 * The HTTP/2 sessions of a channel's unary calls: one for each address of the name, taken in turn.
 *
 * A call waits for a session while one is being made for the first time, until that is known to fail, and
 * while one that was lost is being replaced: a service that restarts within the time for connecting fails
 * no call. Nothing of such a call has been sent, so this holds for calls that must not be repeated too.
 */
export class Sessions {
  private readonly options: SessionsOptions;
  private readonly target: string;
  private peers: Peer[] = [];
  private turn = 0;
  private closed = false;
  /** Since when there has been no session, by performance.now(); undefined while there is one, or nobody has asked yet. */
  private downSinceMs: number | undefined;
  /** Whether there was a session before. */
  private everUsable = false;
  private resolvedAtMs = Number.NEGATIVE_INFINITY;
  private resolving = false;
  private failure: Error | undefined;
  private readonly waiting = new Set<() => void>();

  constructor(options: SessionsOptions) {
    this.options = options;
    this.target = options.url.host;
  }

  /**
   * A session that a call can be sent on now, or as soon as there is one.
   *
   * @throws FerryError UNAVAILABLE: closed, or nobody takes connections; NoConnection after the time for
   *   connecting; DEADLINE_EXCEEDED. A signal that is aborted ends the wait with its reason.
   */
  take(deadlineAtMs: number, signal: CallSignal | undefined): ClientHttp2Session | Promise<ClientHttp2Session> {
    return this.find() ?? this.wait(deadlineAtMs, signal);
  }

  /** Why calls would fail now; undefined when they can be sent, or nobody has tried yet. */
  unready(): string | undefined {
    if (this.closed) return "closed";
    if (this.downSinceMs === undefined) return undefined;
    const late = performance.now() - this.downSinceMs > this.options.connectTimeoutMs;
    return late || this.failed() !== undefined
      ? `no connection to ${this.options.audience} (${this.target})`
      : undefined;
  }

  close(): void {
    this.closed = true;
    for (const peer of this.peers) peer.close();
    this.wake();
  }

  private find(): ClientHttp2Session | undefined {
    const { peers } = this;
    for (let tries = 0; tries < peers.length; tries++) {
      this.turn = (this.turn + 1) % peers.length;
      const { session } = peers[this.turn]!;
      // Between the end of a session and the event that tells it, only these fields know.
      if (session !== undefined && !session.closed && !session.destroyed) return session;
    }
    return undefined;
  }

  private async wait(deadlineAtMs: number, signal: CallSignal | undefined): Promise<ClientHttp2Session> {
    this.begin();
    const nowMs = performance.now();
    const untilMs = Math.max(nowMs + SHORTEST_WAIT_MS, (this.downSinceMs ?? nowMs) + this.options.connectTimeoutMs);
    const dueMs = nowMs + deadlineAtMs - Date.now();
    let over = false;
    let wakeOwn = () => {};
    // Only this call: to wake all for each whose time is over costs the square of them.
    const expire = () => {
      over = true;
      wakeOwn();
    };
    const timer = setTimeout(expire, Math.min(untilMs, dueMs) - nowMs);
    signal?.addEventListener("abort", expire, { once: true });
    try {
      for (;;) {
        if (this.closed) throw new FerryError("UNAVAILABLE", `the channel to ${this.options.audience} is closed`);
        if (signal?.aborted === true) throw toFerryError(signal.reason);
        const session = this.find();
        if (session !== undefined) return session;
        const failure = this.failed();
        const patient = !(over && untilMs < dueMs) && performance.now() < this.patientUntilMs();
        if (failure !== undefined && !patient) throw this.refused(failure);
        // By which limit it was, not by the clock: a timer may fire a moment early.
        if (over && dueMs <= untilMs) throw new PeerFailed("DEADLINE_EXCEEDED", "the time for the call is over");
        if (over) throw this.silent();
        await new Promise<void>((resolve) => {
          wakeOwn = resolve;
          this.waiting.add(resolve);
        });
      }
    } finally {
      this.waiting.delete(wakeOwn);
      clearTimeout(timer);
      signal?.removeEventListener("abort", expire);
    }
  }

  private begin(): void {
    if (this.closed) return;
    this.goDown();
    void this.resolve();
  }

  /** Until when a refused connection is nothing to give up for: what worked before is probably being restarted. */
  private patientUntilMs(): number {
    return this.everUsable ? (this.downSinceMs ?? 0) + this.options.connectTimeoutMs : 0;
  }

  /** Why there is no session; undefined while one of the peers may still come. */
  private failed(): Error | undefined {
    if (this.peers.length === 0) return this.failure;
    return this.peers.every((peer) => peer.failure !== undefined) ? this.peers[0]?.failure : undefined;
  }

  private refused(cause: Error): FerryError {
    return new PeerFailed("UNAVAILABLE", "a service that is needed cannot be reached", { cause });
  }

  private silent(): FerryError {
    const { audience, connectTimeoutMs } = this.options;
    const cause = new Error(`${this.target} did not accept a connection within ${connectTimeoutMs} ms`);
    return new NoConnection("UNAVAILABLE", `no connection to ${audience} within ${connectTimeoutMs} ms`, { cause });
  }

  /** Finds the addresses of the name and has a peer for each, and no others. */
  private async resolve(): Promise<void> {
    const nowMs = performance.now();
    if (this.resolving || nowMs - this.resolvedAtMs < RESOLVE_EVERY_MS) return;
    this.resolving = true;
    this.resolvedAtMs = nowMs;
    try {
      this.keep(await addressesOf(this.options.url.hostname));
      this.failure = undefined;
    } catch (error) {
      this.failure = error as Error;
      // A timer may fire a moment early: what is asked too soon would not be asked again until the next call.
      if (this.peers.length === 0) setTimeout(() => void this.resolve(), RESOLVE_EVERY_MS + 10).unref();
    }
    this.resolving = false;
    this.changed();
  }

  private keep(addresses: readonly string[]): void {
    if (this.closed) return;
    const known = new Map(this.peers.map((peer) => [peer.address, peer]));
    this.peers = addresses.map((address) => known.get(address) ?? this.openPeer(address));
    for (const peer of known.values()) if (!this.peers.includes(peer)) peer.close();
  }

  private openPeer(address: string): Peer {
    const { url, tls, renewAfterMs, keepalive, audience, logger } = this.options;
    const peer = new Peer({
      address,
      port: Number(url.port || (url.protocol === "https:" ? 443 : 80)),
      url: url.origin,
      tls,
      renewAfterMs,
      keepalive,
      onChange: () => {
        if (peer.session === undefined) void this.resolve();
        this.changed();
      },
      onRenew: () =>
        logger.warn(
          { audience, target: this.target, connectingMs: renewAfterMs },
          "connection does not come about, starting anew",
        ),
    });
    peer.open();
    return peer;
  }

  private changed(): void {
    if (this.find() !== undefined) {
      this.everUsable = true;
      this.downSinceMs = undefined;
    } else this.goDown();
    this.wake();
  }

  /** There is no session: a replica that is back by now must not be found only at its next attempt, seconds later. */
  private goDown(): void {
    if (this.downSinceMs !== undefined) return;
    this.downSinceMs = performance.now();
    for (const peer of this.peers) peer.hurry();
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}

async function addressesOf(hostname: string): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
