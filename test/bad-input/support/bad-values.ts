import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { hasCustomJsonRepresentation, isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { Spoilt } from "./edge.ts";

/** A value that its field does not take, whatever its rules. */
export interface BadValue extends Spoilt {
  /** Where inside of the value the error is: ".noSuchField", "[0]". Default: the value itself. */
  inside?: string;
}

const json = (...texts: string[]): BadValue[] => texts.map((text) => ({ json: text }));
/** The same in a body, as a JSON string, and in a path or query. */
const texts = (...values: string[]): BadValue[] => values.map((text) => ({ json: JSON.stringify(text), text }));

const OTHER_KINDS = ["null", "[5]", "{}"];
const ODD_NUMBERS = ["1.0", "1.5", "-", "+5", "05", "0x10", " 5", "5 ", "NaN", "Infinity", "five", "1,000", ""];

const INTEGERS_64 = [
  ...texts(...ODD_NUMBERS, "1e2", "true", "99999999999999999999999"),
  ...json(...OTHER_KINDS, "true", "5", "5.5", "1e2", "9007199254740993", '["5"]'),
];
const INTEGERS_32 = [
  ...texts(...ODD_NUMBERS, "1e2", "true"),
  ...json(...OTHER_KINDS, "true", '"5"', "5.5", "1.0", "1e2"),
  { json: "99999999999999999999" },
];
/** JSON numbers, which paths and queries say by the same text. */
const numbers = (...values: string[]): BadValue[] => values.map((text) => ({ json: text, text }));

const SCALARS: Partial<Record<ScalarType, BadValue[]>> = {
  [ScalarType.STRING]: [
    ...json(...OTHER_KINDS, "5", "true", '["a"]'),
    ...[{ json: '"a\\u0000b"', text: "a\0b" }, { json: '"\\ud800"' }, { json: '"a\\udc00b"' }],
  ],
  [ScalarType.BOOL]: [...texts("yes", "TRUE", "1", ""), ...json(...OTHER_KINDS, "0", "1", '"true"')],
  [ScalarType.BYTES]: [...texts("%%%", "a", "YQ==="), ...json(...OTHER_KINDS, "5", "true")],
  [ScalarType.INT64]: [...INTEGERS_64, ...texts("-9223372036854775809", "9223372036854775808")],
  [ScalarType.UINT64]: [...INTEGERS_64, ...texts("-1", "18446744073709551616")],
  [ScalarType.INT32]: [...INTEGERS_32, ...numbers("-2147483649", "2147483648")],
  [ScalarType.UINT32]: [...INTEGERS_32, ...numbers("-1", "4294967296")],
};

/** Of types with a JSON form of their own, by name. */
const WELL_KNOWN: Readonly<Record<string, BadValue[]>> = {
  "google.protobuf.Timestamp": [
    ...texts("yesterday", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01"),
    ...texts("2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "", "1767225600"),
    ...json(...OTHER_KINDS, "1767225600", "true"),
  ],
  "google.protobuf.Duration": [...texts("1 second", "5", "s", ""), ...json(...OTHER_KINDS, "5", "true")],
};

/** @throws Error for a type that these tests know nothing of: whoever brings one in says here how it can be bad. */
function ofMessage(desc: DescMessage): BadValue[] {
  if (isWrapperDesc(desc)) return ofScalar(desc.fields[0].scalar);
  const known = WELL_KNOWN[desc.typeName];
  if (known !== undefined) return known;
  if (hasCustomJsonRepresentation(desc)) throw new Error(`it is not known how a ${desc.typeName} can be bad`);
  return [...json('"text"', "5", "true", "null", "[]"), { json: '{"noSuchField":1}', inside: ".noSuchField" }];
}

function ofScalar(scalar: ScalarType): BadValue[] {
  const known = SCALARS[scalar];
  if (known === undefined) throw new Error(`it is not known how a ${ScalarType[scalar]} can be bad`);
  return known;
}

function ofOne(field: DescField): BadValue[] {
  if (field.message !== undefined) return ofMessage(field.message);
  if (field.enum === undefined) return ofScalar(field.scalar!);
  const lower = field.enum.values[0]!.name.toLowerCase();
  // A path or query may give an enum by its number, where it has this number; a body may not.
  return [...texts("NO_SUCH_NAME", lower, "", "9999"), ...json(...OTHER_KINDS, "0", "1", "true")];
}

/** Every bad value of a field by its type alone. */
export function badValuesOf(field: DescField): BadValue[] {
  const one = ofOne(field);
  switch (field.fieldKind) {
    case "list":
      return [
        ...json("{}", "null", "5", "true"),
        ...one.map((bad) => ({ ...bad, json: `[${bad.json}]`, inside: `[0]${bad.inside ?? ""}` })),
      ];
    case "map":
      return [
        ...json("[]", "null", "5", "true"),
        ...one.map((bad) => ({ json: `{"k":${bad.json}}`, inside: `.k${bad.inside ?? ""}` })),
      ];
    default:
      return one;
  }
}
