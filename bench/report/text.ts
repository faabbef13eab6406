/** Figures for people to read. */
export const whole = (figure: number): string => Math.round(figure).toLocaleString("en-US");

export const decimals = (figure: number, digits: number): string =>
  figure.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Lines of columns, each as wide as its widest cell: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (known, cells) => cells.map((cell, index) => Math.max(known[index] ?? 0, cell.length)),
    [],
  );
  return rows.map((cells) =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)))
      .join("  ")
      .trimEnd(),
  );
}
