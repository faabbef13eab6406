/**
 * A regular expression (ECMA-262) of the whole numbers of a range in decimal digits, without leading zeros, exactly:
 * 64-bit integers travel as text, of which JSON Schema has no minimum and no maximum.
 *
 * @param min At most max.
 */
export function decimalPattern(min: bigint, max: bigint): string {
  const parts: string[] = [];
  if (min < 0n) parts.push(...naturals(max < 0n ? -max : 1n, -min).map((part) => `-${part}`));
  if (max >= 0n) parts.push(...naturals(min > 0n ? min : 0n, max));
  return `^(?:${parts.join("|")})$`;
}

/** Alternatives that match the numbers from low to high; low is at least 0. */
function naturals(low: bigint, high: bigint): string[] {
  const parts: string[] = [];
  if (low === 0n) parts.push("0");
  const first = low === 0n ? 1n : low;
  if (first > high) return parts;
  const lengths = { from: String(first).length, to: String(high).length };
  const isWhole = (length: number) => first <= lowest(length) && high >= 10n * lowest(length) - 1n;
  for (let length = lengths.from; length <= lengths.to; length++) {
    let last = length;
    while (isWhole(length) && last < lengths.to && isWhole(last + 1)) last++;
    if (last > length) parts.push(`[1-9][0-9]{${length - 1},${last - 1}}`);
    else {
      const from = first > lowest(length) ? first : lowest(length);
      const to = high < 10n * lowest(length) - 1n ? high : 10n * lowest(length) - 1n;
      parts.push(...ofOneLength(String(from), String(to)));
    }
    length = last;
  }
  return parts;
}

/** The lowest number of so many digits. */
const lowest = (length: number) => 10n ** BigInt(length - 1);

function ofOneLength(low: string, high: string): string[] {
  const rest = low.length - 1;
  if (low === high) return [low];
  const [a, b] = [Number(low[0]), Number(high[0])];
  if (a === b) return ofOneLength(low.slice(1), high.slice(1)).map((part) => `${a}${part}`);
  const opens = /^0*$/.test(low.slice(1));
  const closes = /^9*$/.test(high.slice(1));
  const parts: string[] = [];
  if (!opens) parts.push(...ofOneLength(low.slice(1), "9".repeat(rest)).map((part) => `${a}${part}`));
  const [from, to] = [opens ? a : a + 1, closes ? b : b - 1];
  if (from <= to) parts.push(`${from === to ? from : `[${from}-${to}]`}${digits(rest)}`);
  if (!closes) parts.push(...ofOneLength("0".repeat(rest), high.slice(1)).map((part) => `${b}${part}`));
  return parts;
}

function digits(count: number): string {
  return count === 0 ? "" : count === 1 ? "[0-9]" : `[0-9]{${count}}`;
}
