import type { Server } from "node:http";
import type { Socket } from "node:net";
import { networkOf } from "./rate-limits/network.ts";

/** How often answers that are not read are looked for, at most. */
const SWEEP_MS = 5_000;

export interface SocketLimits {
  /** Connections of one address at once; 0: no limit. */
  maxEach: number;
  /** Time without progress after which a client that does not read its answer is cut, in milliseconds. */
  stallMs: number;
}

export interface Sockets {
  readonly open: number;
  /** Connections that were closed: as one too many, of all or of one address; and as nobody read on them. */
  readonly cut: Readonly<{ crowded: number; address: number; stalled: number }>;
}

interface Watched {
  /** Bytes that have left the process. */
  sent: number;
  stalledMs: number;
}

/**
 * Watches the connections of a server: nobody has more than a share of them, and none is held by a client that asks
 * and does not read. Node itself cuts clients that are slow to ask. What a client has not yet read is memory here,
 * and its request stays one of those in flight.
 */
export function watchSockets(server: Server, { maxEach, stallMs }: SocketLimits): Sockets {
  const watched = new Map<Socket, Watched>();
  const perAddress = new Map<string, number>();
  const cut = { crowded: 0, address: 0, stalled: 0 };
  const sweepMs = Math.min(SWEEP_MS, stallMs);
  let timer: NodeJS.Timeout | undefined;

  function sweep(): void {
    timer = undefined;
    for (const [socket, state] of watched) {
      const waiting = socket.writableLength;
      const sent = socket.bytesWritten - waiting;
      state.stalledMs = waiting > 0 && sent === state.sent ? state.stalledMs + sweepMs : 0;
      state.sent = sent;
      if (state.stalledMs < stallMs) continue;
      cut.stalled++;
      socket.resetAndDestroy();
    }
    sweepLater();
  }

  function sweepLater(): void {
    if (timer === undefined && watched.size > 0) timer = setTimeout(sweep, sweepMs).unref();
  }

  server.on("drop", () => {
    cut.crowded++;
  });
  server.on("connection", (socket: Socket) => {
    const whose = networkOf(socket.remoteAddress ?? "");
    const count = (perAddress.get(whose) ?? 0) + 1;
    if (maxEach > 0 && count > maxEach) {
      cut.address++;
      socket.resetAndDestroy();
      return;
    }
    perAddress.set(whose, count);
    watched.set(socket, { sent: 0, stalledMs: 0 });
    sweepLater();
    socket.once("close", () => {
      watched.delete(socket);
      const left = (perAddress.get(whose) ?? 1) - 1;
      if (left === 0) perAddress.delete(whose);
      else perAddress.set(whose, left);
    });
  });

  return {
    get open() {
      return watched.size;
    },
    cut,
  };
}
