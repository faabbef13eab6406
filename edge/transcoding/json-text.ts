import { BadField, joinPath } from "./errors.ts";

/** A number as it stands in the source, so that nothing is rounded before the contract has a say. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonObject = ReadonlyMap<string, JsonNode>;
export type JsonNode = null | boolean | string | JsonNumber | JsonObject | readonly JsonNode[];

/** Objects and lists within each other; deeper texts are refused. No contract of ours is near it. */
export const MAX_DEPTH = 32;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Parses JSON by RFC 8259 and keeps what JSON.parse loses: repeated names are refused rather than the last one
 * winning, numbers stay text, and the depth is bounded.
 *
 * @throws BadField for text that is not JSON, a name given twice, NUL or half a surrogate pair in a text.
 */
export function parseJson(bytes: Uint8Array): JsonNode {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new BadField("", "the body is not valid UTF-8");
  }
  return new JsonParser(text).parse();
}

/** One pass over one text. */
class JsonParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): JsonNode {
    const node = this.#value("", 0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return node;
  }

  #value(path: string, depth: number): JsonNode {
    this.#skipSpace();
    const char = this.#text[this.#at];
    if (char === '"') return this.#string(path);
    if (char === "{" || char === "[") {
      if (depth >= MAX_DEPTH) throw new BadField(path, `is nested deeper than ${MAX_DEPTH} levels`);
      return char === "{" ? this.#object(path, depth + 1) : this.#list(path, depth + 1);
    }
    if (this.#take("true")) return true;
    if (this.#take("false")) return false;
    if (this.#take("null")) return null;
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.#text)?.[0];
    if (number === undefined) throw this.#unexpected();
    this.#at += number.length;
    return new JsonNumber(number);
  }

  #object(path: string, depth: number): JsonObject {
    const members = new Map<string, JsonNode>();
    this.#at++;
    this.#skipSpace();
    if (this.#take("}")) return members;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#unexpected();
      const name = this.#string(path);
      const memberPath = joinPath(path, name);
      if (members.has(name)) throw new BadField(memberPath, "is given twice");
      this.#skipSpace();
      if (!this.#take(":")) throw this.#unexpected();
      members.set(name, this.#value(memberPath, depth));
      this.#skipSpace();
      if (this.#take("}")) return members;
      if (!this.#take(",")) throw this.#unexpected();
    }
  }

  #list(path: string, depth: number): JsonNode[] {
    const items: JsonNode[] = [];
    this.#at++;
    this.#skipSpace();
    if (this.#take("]")) return items;
    for (;;) {
      items.push(this.#value(joinPath(path, items.length), depth));
      this.#skipSpace();
      if (this.#take("]")) return items;
      if (!this.#take(",")) throw this.#unexpected();
    }
  }

  #string(path: string): string {
    let start = ++this.#at;
    let built = "";
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) throw this.#unexpected();
      if (code < 0x20) throw this.#unexpected();
      if (code !== QUOTE && code !== BACKSLASH) {
        this.#at++;
        continue;
      }
      const piece = this.#text.slice(start, this.#at++);
      if (code === QUOTE) return built === "" ? piece : checkedText(built + piece, path);
      built += piece + this.#escape();
      start = this.#at;
    }
  }

  /** What follows a backslash. NUL and surrogates can only come this way, so only escaped texts are checked. */
  #escape(): string {
    const char = this.#text[this.#at] ?? "";
    if (char === "u") {
      const digits = this.#text.slice(this.#at + 1, this.#at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#unexpected();
      this.#at += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const meaning = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined;
    if (meaning === undefined) throw this.#unexpected();
    this.#at++;
    return meaning;
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #unexpected(): BadField {
    if (this.#at >= this.#text.length) return new BadField("", "the body is not valid JSON: it ends too early");
    return new BadField("", `the body is not valid JSON: unexpected character at position ${this.#at}`);
  }
}

/** Texts that can be stored: no NUL, which PostgreSQL cannot hold, and no half of a surrogate pair. */
export function checkedText(text: string, path: string): string {
  if (text.includes("\0")) throw new BadField(path, "must not contain NUL");
  if (!text.isWellFormed()) throw new BadField(path, "is not valid Unicode");
  return text;
}
