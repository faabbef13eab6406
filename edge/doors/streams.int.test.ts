import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import type { WatchTransferRequest } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { toConnectError } from "@ferry/platform/rpc";
import { until } from "../../test/support/until.ts";
import { MEMBER_ID } from "../testing/harness.ts";
import { failureOf, listening, reasonOf } from "./testing/client.ts";

type Watch = (request: WatchTransferRequest, context: HandlerContext) => AsyncIterable<unknown>;
const answering = (watch: Watch) => ({ answers: { WatchTransfer: watch as never } });
const message = (version: number) => ({ transfer: { id: MEMBER_ID }, version: BigInt(version) });
const REQUEST = { transferId: MEMBER_ID };
const WATCH = "/ferry.transfer.v1.TransferService/WatchTransfer";

async function versionsOf(stream: AsyncIterable<{ version: bigint }>): Promise<bigint[]> {
  const versions: bigint[] = [];
  for await (const { version } of stream) versions.push(version);
  return versions;
}

for (const door of ["connect", "grpc-web"] as const) {
  for (const isBinary of [true, false])
    test(`${door}, ${isBinary ? "binary" : "JSON"}: a stream comes message by message`, async (t) => {
      const gate = Promise.withResolvers<void>();
      const watch: Watch = async function* ({ afterVersion }) {
        yield message(Number(afterVersion) + 1);
        await gate.promise;
        yield message(Number(afterVersion) + 2);
      };
      const { transfers, headers } = await listening(t, door, answering(watch), isBinary);
      const stream = transfers.watchTransfer({ ...REQUEST, afterVersion: 4n }, { headers })[Symbol.asyncIterator]();
      assert.equal((await stream.next()).value?.version, 5n);
      gate.resolve();
      assert.equal((await stream.next()).value?.version, 6n);
      assert.equal((await stream.next()).done, true);
    });

  test(`${door}: an error before the first message and one after it are told alike`, async (t) => {
    const watch: Watch = async function* ({ afterVersion }) {
      if (afterVersion === 0n) yield message(1);
      const fields = [{ field: "transfer_id", description: "is not known" }];
      throw toConnectError(new FerryError("NOT_FOUND", "transfer_id: is not known", { fields }));
    };
    const { transfers, headers } = await listening(t, door, answering(watch));
    for (const afterVersion of [0n, 1n]) {
      const error = await failureOf(versionsOf(transfers.watchTransfer({ ...REQUEST, afterVersion }, { headers })));
      assert.deepEqual([error.code, reasonOf(error)], [Code.NotFound, "NOT_FOUND"]);
      assert.equal(error.rawMessage, "transferId: is not known");
    }
  });

  test(`${door}: a stream needs a token and keeps the field rules`, async (t) => {
    const { transfers, headers, seen } = await listening(t, door);
    const noToken = await failureOf(versionsOf(transfers.watchTransfer(REQUEST)));
    assert.deepEqual([noToken.code, reasonOf(noToken)], [Code.Unauthenticated, "UNAUTHENTICATED"]);
    const field = await failureOf(versionsOf(transfers.watchTransfer({ transferId: "mine" }, { headers })));
    assert.deepEqual([field.code, reasonOf(field)], [Code.InvalidArgument, "INVALID_REQUEST"]);
    assert.deepEqual(seen, []);
  });

  test(`${door}: a client that leaves ends the call behind, and makes room for another stream`, async (t) => {
    const canceled = Promise.withResolvers<void>();
    const watch: Watch = async function* (_request, { signal }) {
      signal.addEventListener("abort", () => canceled.resolve());
      yield message(1);
      await canceled.promise;
    };
    const limits = { limits: { maxStreamsEach: 1 } };
    const { transfers, headers } = await listening(t, door, { ...answering(watch), ...limits });
    const client = new AbortController();
    const open = transfers.watchTransfer(REQUEST, { headers, signal: client.signal })[Symbol.asyncIterator]();
    await open.next();
    const again = () => versionsOf(transfers.watchTransfer(REQUEST, { headers }));
    assert.equal(reasonOf(await failureOf(again())), "RATE_LIMITED");
    client.abort();
    await canceled.promise;
    await until("room for another stream", () =>
      again().then(
        () => true,
        () => undefined,
      ),
    );
  });

  test(`${door}: when the edge stops, a stream ends with a word`, async (t) => {
    const watch: Watch = async function* (_request, { signal }) {
      yield message(1);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    const { transfers, headers, components } = await listening(t, door, answering(watch));
    const stream = transfers.watchTransfer(REQUEST, { headers })[Symbol.asyncIterator]();
    await stream.next();
    const stopped = components[0]!.stop!();
    assert.equal((await failureOf(stream.next())).code, Code.Unavailable);
    await stopped;
  });

  test(`${door}: several messages where one belongs are refused`, async (t) => {
    const { base, headers, seen } = await listening(t, door);
    const one = encodeEnvelope(0, new TextEncoder().encode(JSON.stringify(REQUEST)));
    const type = door === "connect" ? "application/connect+json" : "application/grpc-web+json";
    const body = Buffer.concat([one, one]);
    const answer = await fetch(base + WATCH, { method: "POST", headers: { ...headers, "content-type": type }, body });
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), door === "connect" ? /"unimplemented"/ : /grpc-status: 12/);
    assert.deepEqual(seen, []);
  });
}
