import type { DescMessage } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";

/** A writer's change: one field, or a part of one. */
type Piece = (writer: BinaryWriter) => void;

const raw =
  (bytes: Uint8Array): Piece =>
  (writer) =>
    writer.raw(bytes);

/** Fields that begin with a tag of any wire type, whatever the contract says of their number. */
function arbitraryPiece(desc: DescMessage | undefined, depth: number): fc.Arbitrary<Piece> {
  const known = desc === undefined ? [] : desc.fields.map(({ number }) => number);
  const number = fc.oneof(fc.constantFrom(1, 2, ...known), fc.integer({ min: 1, max: 40 }), fc.constant(2 ** 29 - 1));
  return number.chain((no) => {
    const part = desc?.fields.find((field) => field.number === no)?.message;
    const tagged =
      (wireType: number, piece: Piece): Piece =>
      (writer) =>
        piece(writer.tag(no, wireType));
    const choices: fc.Arbitrary<Piece>[] = [
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => tagged(0, (writer) => writer.uint64(value))),
      fc.nat({ max: 3 }).map((value) => tagged(0, (writer) => writer.uint32(value))),
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => tagged(1, raw(bytes))),
      fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => tagged(5, raw(bytes))),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => tagged(2, (writer) => writer.bytes(bytes))),
      fc.string({ maxLength: 20 }).map((text) => tagged(2, (writer) => writer.string(text))),
    ];
    if (depth > 0) {
      const inner = fc.array(arbitraryPiece(part, depth - 1), { maxLength: 4 });
      const write = (pieces: Piece[], writer: BinaryWriter) => {
        for (const piece of pieces) piece(writer);
        return writer;
      };
      choices.push(
        inner.map((pieces) => tagged(2, (writer) => write(pieces, writer.fork()).join())),
        inner.map((pieces) => tagged(3, (writer) => write(pieces, writer).tag(no, 4))),
      );
    }
    return fc.oneof(...choices);
  });
}

/** Bytes that mostly hold together as fields: known and unknown ones, in any order and of any wire type. */
export function arbitraryWire(desc: DescMessage): fc.Arbitrary<Uint8Array> {
  return fc.array(arbitraryPiece(desc, 3), { maxLength: 8 }).map((pieces) => {
    const writer = new BinaryWriter();
    for (const piece of pieces) piece(writer);
    return writer.finish();
  });
}

/** The same bytes with an end cut off, or with some bytes changed. */
export function arbitraryDamage(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  if (bytes.length === 0) return fc.constant(bytes);
  const place = fc.nat({ max: bytes.length - 1 });
  const change = fc.tuple(place, fc.nat({ max: 255 }));
  return fc.oneof(
    place.map((length) => bytes.slice(0, length)),
    fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
      const damaged = bytes.slice();
      for (const [at, value] of changes) damaged[at] = value;
      return damaged;
    }),
  );
}
