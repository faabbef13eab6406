/** A table of Markdown, the first row its head; figures are set to the right by padding. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)));
  const isFigure = (text: string) => /^[\d.,]*$/.test(text);
  const rightmost = head.map((_, column) => rows.slice(1).every((cells) => isFigure(cells[column] ?? "")));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (rightmost[column] ? (cells[column] ?? "").padStart(width) : (cells[column] ?? "").padEnd(width))).join(" | ")} |`;
  const rule = `| ${widths.map((width, column) => (rightmost[column] ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(head), rule, ...rows.slice(1).map(line)].join("\n");
}
