/** When requests of an open loop are due: evenly, at a fixed rate, whatever becomes of those before. */
export interface Schedule {
  /** The times, in milliseconds of the same clock, of the requests that have become due since the last call. */
  due(nowMs: number): number[];
}

/** @param startMs when the first request is due. */
export function createSchedule(startMs: number, ratePerSecond: number): Schedule {
  const everyMs = 1_000 / ratePerSecond;
  let sent = 0;
  return {
    due(nowMs) {
      const until = Math.floor((nowMs - startMs) / everyMs) + 1;
      const times: number[] = [];
      for (; sent < until; sent++) times.push(startMs + sent * everyMs);
      return times;
    },
  };
}
