import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "./error-codes.ts";
import { FrameReader } from "./frame-reader.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

const values = fc.record(
  {
    int8: fc.integer({ min: -128, max: 127 }),
    int16: fc.integer({ min: -32_768, max: 32_767 }),
    int32: fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
    int64: fc.maxSafeInteger(),
    text: fc.option(fc.string({ unit: "grapheme", maxLength: 300 })),
    bytes: fc.uint8Array({ maxLength: 1000 }),
    list: fc.array(fc.string(), { maxLength: 20 }),
  },
  { noNullPrototype: true },
);

test("what is written is read again, whatever the buffer's first size", () => {
  fc.assert(
    fc.property(values, fc.nat(64), (value, sizeHint) => {
      const writer = new Writer(sizeHint).int8(value.int8).int16(value.int16).int32(value.int32).int64(value.int64);
      writer.string(value.text).bytes(Buffer.from(value.bytes)).boolean(true);
      const frame = writer.array(value.list, (item) => writer.string(item)).frame(77);
      const reader = new Reader(frame);
      assert.equal(reader.int32(), frame.length - 4);
      assert.equal(reader.int32(), 77);
      const read = {
        int8: reader.int8(),
        int16: reader.int16(),
        int32: reader.int32(),
        int64: reader.int64(),
        text: reader.nullableString(),
        bytes: Uint8Array.from(reader.bytes()),
      };
      assert.equal(reader.boolean(), true);
      assert.deepEqual({ ...read, list: reader.array(() => reader.string()) }, value);
      assert.equal(reader.remaining, 0);
    }),
  );
});

test("lengths that reach beyond the request are refused, not allocated", () => {
  const claims = Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2]);
  assert.throws(() => new Reader(claims).string(), ProtocolError);
  assert.throws(() => new Reader(claims).bytes(), ProtocolError);
  assert.throws(() => new Reader(claims).array(() => 0), ProtocolError);
  assert.throws(() => new Reader(claims, 4).int64(), RangeError);
  assert.throws(() => new Reader(Buffer.from([0xff, 0xff])).string(), ProtocolError);
});

test("any bytes at all are read or refused, and nothing else happens", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const reader = new Reader(Buffer.from(bytes));
      try {
        while (reader.remaining > 0) reader.array(() => [reader.nullableString(), reader.nullableBytes()]);
      } catch (error) {
        assert.ok(error instanceof ProtocolError || error instanceof RangeError, String(error));
      }
    }),
  );
});

test("requests are the same however the network cuts the stream", () => {
  const bodies = fc.array(fc.uint8Array({ minLength: 10, maxLength: 60 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(bodies, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (requests, cuts) => {
      const stream = Buffer.concat(
        requests.flatMap((request) => {
          const size = Buffer.alloc(4);
          size.writeInt32BE(request.length);
          return [size, request];
        }),
      );
      const frames = new FrameReader(64);
      const seen: number[][] = [];
      for (let at = 0, cut = 0; at < stream.length; cut += 1) {
        const length = cuts[cut % cuts.length]!;
        frames.push(stream.subarray(at, at + length));
        at += length;
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) seen.push([...frame]);
      }
      assert.deepEqual(
        seen,
        requests.map((request) => [...request]),
      );
      assert.equal(frames.bufferedBytes, 0);
    }),
  );
});

test("a size that no request has is refused before its bytes arrive", () => {
  for (const size of [-1, 0, 9, 65]) {
    const frames = new FrameReader(64);
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(size);
    frames.push(bytes);
    assert.throws(() => frames.next(), ProtocolError, `size ${size}`);
  }
});
