import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import type { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import type { Component } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import { type AuthorityState, createAuthorityState, isFull } from "./authority.ts";

export interface WatchOptions {
  client: Pick<Client<typeof AuthorityService>, "watchAuthority">;
  logger: Logger;
  /** The first wait before the stream is opened again, in milliseconds; it doubles. Default 100. */
  minBackoffMs?: number;
  /** The longest wait, in milliseconds. Default 3,000. */
  maxBackoffMs?: number;
}

/**
 * Watches the authority for as long as the process runs.
 *
 * It starts when the first snapshot is there, however long the authority takes to come up. When the
 * stream is lost the last state stays, and the stream is opened again with growing, jittered waits:
 * tokens that are good go on being good while the authority is away.
 */
export function watchAuthority(options: WatchOptions): Component & AuthorityState {
  const { client, logger, minBackoffMs = 100, maxBackoffMs = 3_000 } = options;
  const state = createAuthorityState();
  const stopping = new AbortController();
  const { promise: first, resolve: started } = Promise.withResolvers<void>();
  let following: Promise<void> | undefined;
  let failures = 0;

  async function followOnce(): Promise<void> {
    let snapshotCame = false;
    for await (const change of client.watchAuthority({}, { signal: stopping.signal })) {
      snapshotCame ||= change.snapshot;
      if (!snapshotCame) throw new Error("the authority's stream did not begin with a snapshot");
      state.apply(change, isFull(change));
      if (failures > 0) logger.info({ failures }, "authority is watched again");
      failures = 0;
      if (state.unready() === undefined) started();
    }
    throw new Error("the authority closed the stream");
  }

  async function follow(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await followOnce();
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (failures === 0) logger.warn({ error: String(error) }, "authority is not watched, trying again");
        const longestMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures, 16));
        failures++;
        await delay(longestMs * (0.5 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  return {
    ...state,
    name: "authority",
    async start() {
      following ??= follow();
      await first;
    },
    async stop() {
      stopping.abort();
      started();
      await following;
    },
  };
}
