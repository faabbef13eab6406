export interface Series {
  name: string;
  /** Seconds and figure, in the order of time. */
  points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 560;
const HEIGHT = 240;
const LEFT = 52;
const BOTTOM = 26;
const TOP = 10;
const TICKS = 4;
const COLORS = [
  "#2a78b5",
  "#d9622b",
  "#3a9a4b",
  "#8e5bb5",
  "#b8932f",
  "#c2417a",
  "#4aa3a2",
  "#7a7a7a",
  "#a0522d",
  "#5566cc",
  "#99aa22",
  "#cc5566",
  "#227755",
  "#886622",
];

/** The smallest of 1, 2, 5 times a power of ten that is at least the figure. */
export function niceAbove(figure: number): number {
  if (!(figure > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(figure));
  return ([1, 2, 5, 10].find((step) => step * power >= figure) ?? 10) * power;
}

const label = (figure: number) =>
  figure >= 10 || Number.isInteger(figure) ? String(Math.round(figure)) : figure.toPrecision(2);

/** Draws lines over time as SVG with axes and a key. Names are our own, and safe in HTML. */
export function plot(title: string, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points);
  const maxX = Math.max(1, ...points.map(([x]) => x));
  const maxY = niceAbove(Math.max(0, ...points.map(([, y]) => y)));
  const toX = (x: number) => (LEFT + (x / maxX) * (WIDTH - LEFT - 8)).toFixed(1);
  const toY = (y: number) => (HEIGHT - BOTTOM - (y / maxY) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const grid = Array.from({ length: TICKS + 1 }, (_, index) => {
    const y = (maxY * index) / TICKS;
    const x = (maxX * index) / TICKS;
    return `<line x1="${LEFT}" x2="${WIDTH - 8}" y1="${toY(y)}" y2="${toY(y)}" stroke="#8883"/><text x="${LEFT - 6}" y="${Number(toY(y)) + 4}" text-anchor="end">${label(y)}</text><text x="${toX(x)}" y="${HEIGHT - 8}" text-anchor="middle">${label(x)} s</text>`;
  });
  const color = (index: number) => COLORS[index % COLORS.length];
  const lines = series.map(
    (one, index) =>
      `<polyline fill="none" stroke="${color(index)}" stroke-width="1.5" points="${one.points.map(([x, y]) => `${toX(x)},${toY(y)}`).join(" ")}"/>`,
  );
  const key = series.map(
    (one, index) => `<span class="key"><i style="background:${color(index)}"></i>${one.name}</span>`,
  );
  return `<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">${grid.join("")}${lines.join("")}</svg><div>${key.join("")}</div></figure>`;
}
