import type { Listening, Session } from "./types.ts";

const RECONNECT_MS = 500;

export interface Listener {
  listen(channel: string, heard: (payload: string) => void): Promise<Listening>;
  close(): Promise<void>;
}

/** One connection that hears all channels of a process. It is opened with the first channel, and opened again when it breaks. */
export function createListener(open: () => Promise<Session>): Listener {
  const channels = new Map<string, Set<(payload: string) => void>>();
  let session: Promise<Session> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function connect(): Promise<Session> {
    const opened = await open();
    opened.onNotification((channel, payload) => {
      for (const heard of channels.get(channel) ?? []) heard(payload);
    });
    try {
      for (const channel of channels.keys()) await opened.query(`LISTEN ${quoted(channel)}`);
    } catch (error) {
      await opened.release().catch(() => {}); // It is broken: what it is not asked for must not be heard twice.
      throw error;
    }
    return opened;
  }

  /** Makes a connection the one that is used, until it ends or cannot be made. */
  function begin(): Promise<Session> {
    const begun = connect();
    session = begun;
    const over = () => {
      if (session === begun) session = undefined;
      reconnectSoon();
    };
    begun.then((opened) => opened.ended).then(over, over);
    return begun;
  }

  function isIdle(): boolean {
    return closed || session !== undefined || ![...channels.values()].some(({ size }) => size > 0);
  }

  function reconnectSoon(): void {
    if (isIdle() || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      // Who asked meanwhile has connected already: a second connection would hear everything once more.
      if (!isIdle()) void begin().catch(() => {}); // It is tried again.
    }, RECONNECT_MS);
    timer.unref();
  }

  return {
    async listen(channel, heard) {
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners);
      listeners.add(heard);
      try {
        if (session === undefined) await begin();
        else await (await session).query(`LISTEN ${quoted(channel)}`);
      } catch (error) {
        listeners.delete(heard); // Who asks again is told once.
        throw error;
      }
      return { stop: async () => void listeners.delete(heard) };
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await (await session?.catch(() => undefined))?.release();
    },
  };
}

/** A channel's name as an identifier; names are constants of the code. */
function quoted(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}
