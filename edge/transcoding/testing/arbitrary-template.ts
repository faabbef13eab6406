import fc from "fast-check";

/** One part of a template: a segment, or a variable with its segments. */
export type Part = { segment: string } | { field: string; segments: readonly string[] };

const literal = fc.constantFrom("v1", "a", "b", "shelves", "%C3%A9", "x.y-z");
const segment = fc.oneof({ weight: 3, arbitrary: literal }, { weight: 2, arbitrary: fc.constant("*") });

/** The text of a template, whose variables take the named fields, each once. */
export function arbitraryTemplate(fields: readonly string[]): fc.Arbitrary<{ text: string; parts: readonly Part[] }> {
  const shape = fc.oneof(
    { weight: 2, arbitrary: segment.map((text) => ({ isVariable: false, segments: [text] })) },
    {
      weight: 3,
      arbitrary: fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => ({ isVariable: true, segments })),
    },
  );
  const shapes = fc.array(shape, { minLength: 1, maxLength: 5 });
  return fc
    .record({ shapes, order: fc.shuffledSubarray([...fields], { minLength: fields.length }), rest: fc.boolean() })
    .chain((drawn) => fc.constantFrom("", ":go", ":%C3%A9").map((verb) => ({ ...drawn, verb })))
    .map(({ shapes: drawn, order, rest, verb }) => {
      const left = [...order];
      const parts = drawn.map(({ isVariable, segments }, at): Part => {
        const isLast = rest && at === drawn.length - 1;
        const all = isLast ? [...segments.slice(0, -1), "**"] : segments;
        const field = isVariable ? left.pop() : undefined;
        return field === undefined ? { segment: isLast ? "**" : segments[0]! } : { field, segments: all };
      });
      return { text: `/${parts.map(textOf).join("/")}${verb}`, parts };
    });
}

function textOf(part: Part): string {
  if ("segment" in part) return part.segment;
  const { field, segments } = part;
  return segments.length === 1 && segments[0] === "*" ? `{${field}}` : `{${field}=${segments.join("/")}}`;
}

/** A text that may stand in one segment: anything but nothing and NUL. */
const anyText = fc.string({ unit: "binary", maxLength: 8 }).map((text) => text.replaceAll("\0", ""));

/** Values that fit the variables of a template, by field. In those of several segments a slash separates them. */
export function arbitraryValues(parts: readonly Part[]): fc.Arbitrary<Record<string, string>> {
  const values: Record<string, fc.Arbitrary<string>> = {};
  for (const part of parts) {
    if ("segment" in part) continue;
    const { field, segments } = part;
    const isSingle = segments.length === 1 && segments[0] !== "**";
    const own = isSingle ? anyText : anyText.map((text) => text.replaceAll("/", ""));
    const one = own.map((text) => (text === "" ? "-" : text));
    const texts = segments.map((text) => {
      if (text === "*") return one.map((value) => [value]);
      return text === "**" ? fc.array(own, { maxLength: 3 }) : fc.constant([decodeURIComponent(text)]);
    });
    values[field] = fc.tuple(...texts).map((drawn) => drawn.flat().join("/"));
  }
  return fc.record(values);
}
