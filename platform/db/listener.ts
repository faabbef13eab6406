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
    void opened.ended.then(() => {
      session = undefined;
      reconnectSoon();
    });
    for (const channel of channels.keys()) await opened.query(`LISTEN ${quoted(channel)}`);
    return opened;
  }

  function reconnectSoon(): void {
    if (closed || channels.size === 0 || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      session = connect();
      session.catch(() => {
        session = undefined;
        reconnectSoon();
      });
    }, RECONNECT_MS);
    timer.unref();
  }

  return {
    async listen(channel, heard) {
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners);
      listeners.add(heard);
      if (session === undefined) {
        session = connect();
        session.catch(() => {
          session = undefined;
        });
        await session;
      } else await (await session).query(`LISTEN ${quoted(channel)}`);
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
