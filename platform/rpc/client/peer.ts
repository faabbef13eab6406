import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** How a connection that is broken without a word is found out, with calls on it or without. */
export interface Keepalive {
  /** Between two looks, in milliseconds. */
  everyMs: number;
  /** For the peer's answer, in milliseconds; then the connection is given up, and calls on it fail. */
  timeoutMs: number;
}

export interface PeerOptions {
  /** An address, not a name. */
  address: string;
  port: number;
  /** As the peer is called: "http://ledger:9102". */
  url: string;
  /** Plaintext when absent. */
  tls: ConnectionOptions | undefined;
  /** A connection that has not come about in this time is begun anew, in milliseconds. */
  renewAfterMs: number;
  /** Default every 30 s, with 10 s for the answer. */
  keepalive: Keepalive | undefined;
  /** Told of each change, so that calls that wait look again. */
  onChange(): void;
  /** Told of a connection that was begun anew because it did not come about. */
  onRenew(): void;
}

/** Between the beginnings of two attempts, so that a peer that fails at once is not asked in a tight loop. */
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 3_000;
const KEEPALIVE: Keepalive = { everyMs: 30_000, timeoutMs: 10_000 };
/**
 * A session that is left is not looked at any more. Its peer ends it when its calls are over, or a minute later: one that
 * is still there after so many looks has a peer that is gone, and streams without a deadline would stay on it for ever.
 */
const LOOKS_TO_LEAVE = 20;

const SESSION: SecureClientSessionOptions = {
  settings: { enablePush: false, initialWindowSize: 1_048_576 },
  // Calls are bounded where they come from; a session that refuses them at 10 MB would only fail those under way.
  maxSessionMemory: Number.MAX_SAFE_INTEGER,
};
/** Of all answers on a connection together, in bytes: wide enough that its updates are no traffic of their own. */
const CONNECTION_WINDOW_BYTES = 8_388_608;

/**
 * One address of a service: keeps an HTTP/2 session to it, from the first `open` to `close`.
 *
 * A session counts as usable when the peer's settings have come: one that accepts TCP and never speaks is none.
 */
export class Peer {
  readonly address: string;
  /** The session that calls can be sent on; undefined while there is none. */
  session: ClientHttp2Session | undefined;
  /** Why the last attempt failed; undefined while one is under way for the first time, or when there is a session. */
  failure: Error | undefined;
  private readonly options: PeerOptions;
  private attempt: ClientHttp2Session | undefined;
  private attempts = 0;
  /** By a clock that only goes on: one that was set back by an hour would have the next attempt wait for it. */
  private attemptedAtMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: PeerOptions) {
    this.options = options;
    this.address = options.address;
  }

  /** Begins to connect, and goes on until closed. */
  open(): void {
    if (this.closed || this.attempt !== undefined || this.session !== undefined) return;
    this.attemptedAtMs = performance.now();
    this.attempts++;
    const socket = this.connectSocket();
    const attempt = connect(this.options.url, { ...SESSION, createConnection: () => socket });
    // An alert after the TLS handshake, as for a missing certificate, ends the socket without a word to the session.
    socket.on("error", (error) => {
      if (attempt === this.attempt) this.failure = error;
      attempt.destroy(error);
      this.lose(attempt);
    });
    this.attempt = attempt;
    this.timer = setTimeout(() => this.renew(attempt), this.options.renewAfterMs).unref();
    attempt.once("remoteSettings", () => this.use(attempt));
    attempt.once("goaway", () => this.leave(attempt));
    attempt.on("error", (error) => {
      if (attempt === this.attempt) this.failure ??= error;
    });
    attempt.once("close", () => this.lose(attempt));
    attempt.unref();
  }

  /** Connects now if it only waits for its next attempt, and counts its pauses from the beginning again. */
  hurry(): void {
    this.attempts = 0;
    if (this.closed || this.attempt !== undefined || this.session !== undefined) return;
    clearTimeout(this.timer);
    this.open();
  }

  /** Calls in flight end well; what is not connected yet is given up. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.session?.close();
    this.session = undefined;
    this.attempt?.destroy();
    this.attempt = undefined;
  }

  private connectSocket(): Socket {
    const { address, port, tls } = this.options;
    return tls === undefined
      ? connectTcp({ host: address, port })
      : connectTls({ ...tls, host: address, port, ALPNProtocols: ["h2"] });
  }

  private use(session: ClientHttp2Session): void {
    if (session !== this.attempt) return;
    clearTimeout(this.timer);
    this.attempt = undefined;
    this.attempts = 0;
    this.failure = undefined;
    this.session = session;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.keepAlive(session);
    this.options.onChange();
  }

  /** The peer takes no new calls on this session; those in flight end on it while new ones go to the next. */
  private leave(session: ClientHttp2Session): void {
    if (session !== this.session) return;
    this.session = undefined;
    this.endLater(session);
    this.reopen();
    this.options.onChange();
  }

  private endLater(session: ClientHttp2Session): void {
    if (session.destroyed) return;
    const { everyMs, timeoutMs } = this.options.keepalive ?? KEEPALIVE;
    const end = () => session.destroy(new Error("the peer did not end the session that it had told to leave"));
    const timer = setTimeout(end, LOOKS_TO_LEAVE * (everyMs + timeoutMs)).unref();
    session.once("close", () => clearTimeout(timer));
  }

  private lose(session: ClientHttp2Session): void {
    if (session === this.session) this.leave(session);
    else if (session === this.attempt) {
      clearTimeout(this.timer);
      this.attempt = undefined;
      this.failure ??= new Error(`${this.options.url} closed the connection before it could be used`);
      this.reopen();
      this.options.onChange();
    }
  }

  private renew(attempt: ClientHttp2Session): void {
    if (attempt !== this.attempt) return;
    this.attempt = undefined;
    attempt.destroy();
    this.options.onRenew();
    this.open();
  }

  private reopen(): void {
    if (this.closed) return;
    const jitter = 0.8 + 0.4 * Math.random();
    const backoffMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 1.6 ** Math.min(this.attempts - 1, 16)) * jitter;
    const waitMs = Math.max(0, this.attemptedAtMs + backoffMs - performance.now());
    this.timer = setTimeout(() => this.open(), waitMs).unref();
  }

  private keepAlive(session: ClientHttp2Session): void {
    const { everyMs, timeoutMs } = this.options.keepalive ?? KEEPALIVE;
    const interval = setInterval(() => {
      // A session that is left is not disturbed; one that was destroyed throws until its end is told.
      if (session !== this.session || session.destroyed) return clearInterval(interval);
      const late = setTimeout(() => session.destroy(new Error("the peer does not answer")), timeoutMs);
      late.unref();
      if (!session.ping(() => clearTimeout(late))) clearTimeout(late);
    }, everyMs).unref();
    session.once("close", () => clearInterval(interval));
  }
}
