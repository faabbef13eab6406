import type { ProcessSample } from "../scenario.ts";

export const mean = (figures: readonly number[]) => figures.reduce((sum, figure) => sum + figure, 0) / figures.length;

/**
 * Memory in the last tenth of the measured time over that in the second tenth, by process: of ten
 * minutes the last minute over the second. 1 is flat. A process without samples in both is left out.
 */
export function memoryGrowth(samples: readonly ProcessSample[], seconds: number): Record<string, number> {
  const within = (name: string, from: number, to: number) =>
    samples.flatMap(({ atSeconds, memoryMiB }) => {
      const figure = memoryMiB?.[name];
      return figure !== undefined && atSeconds >= from * seconds && atSeconds <= to * seconds ? [figure] : [];
    });
  const names = new Set(samples.flatMap(({ memoryMiB }) => Object.keys(memoryMiB ?? {})));
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const early = within(name, 0.1, 0.2);
      const late = within(name, 0.9, 1.01); // The last sample may come a moment after.
      return early.length === 0 || late.length === 0 ? [] : [[name, mean(late) / mean(early)]];
    }),
  );
}
