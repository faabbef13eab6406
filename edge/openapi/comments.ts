import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescService,
} from "@bufbuild/protobuf";
import comments from "@ferry/gen/comments.json" with { type: "json" };
import { isReason, type Reason } from "@ferry/platform/errors";

type Described = DescEnum | DescEnumValue | DescField | DescFile | DescMessage | DescMethod | DescService;

const texts: Readonly<Record<string, string>> = comments;

/** What the contract's comment says of a part of it; undefined where it says nothing. Paragraphs are set apart by an empty line. */
export function commentOf(desc: Described): string | undefined {
  return texts[nameOf(desc)];
}

function nameOf(desc: Described): string {
  switch (desc.kind) {
    case "file":
      return `${desc.name}.proto`;
    case "field":
    case "enum_value":
    case "rpc":
      return `${desc.parent.typeName}.${desc.name}`;
    default:
      return desc.typeName;
  }
}

/** The reasons that an rpc's comment names after "Errors", in its order: those that are its own, beside what every route has. */
export function reasonsOf(rpc: DescMethod): Reason[] {
  const [, told = ""] = /\bErrors\b(.*)/s.exec(commentOf(rpc) ?? "") ?? [];
  const words: readonly string[] = told.match(/\b[A-Z][A-Z0-9_]{3,}\b/g) ?? [];
  return [...new Set(words.filter(isReason))];
}

/** What the comment of a value gives as an example of it: the house writes `ISO 4217 code, as "EUR".` */
export function exampleIn(desc: DescField): string | undefined {
  return /\b[Aa]s "([^"…]+)"/.exec(commentOf(desc) ?? "")?.[1];
}

/** The first sentence of a comment, without its stop. */
export function firstSentence(comment: string): string {
  const [sentence = ""] = /^.*?(?:[.;:](?=\s)|$)/s.exec(comment) ?? [];
  return sentence.replace(/[.;:]$/, "");
}
