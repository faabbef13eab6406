// The one service that the edge and its peers all call: node:http2 by hand, so that nobody meets a server of their own
// make, and none waits for it. It checks nothing: who may call is for the edge to say here.
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, decode, encode } from "@ferry/platform/codec";
import {
  CreateTransferRequestSchema,
  CreateTransferResponseSchema,
  GetTransferRequestSchema,
  GetTransferResponseSchema,
} from "../../peers/edge/contract/bench/transfer/v1/transfer_pb.ts";
import { serveParent } from "../serve-parent.ts";
import { CREATED_ID, MISSING_ID, transferOf } from "./transfers.ts";

const PREFIX_BYTES = 5;
const NOT_FOUND = "5";

const HANDLERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array | undefined>> = {
  "/bench.transfer.v1.TransferService/GetTransfer"(bytes) {
    const { transferId } = decode(GetTransferRequestSchema, bytes);
    if (transferId === MISSING_ID) return undefined;
    return encode(GetTransferResponseSchema, create(GetTransferResponseSchema, { transfer: transferOf(transferId) }));
  },
  "/bench.transfer.v1.TransferService/CreateTransfer"(bytes) {
    const { sourceAccount, destination, amount, memo } = decode(CreateTransferRequestSchema, bytes);
    const transfer = { ...transferOf(CREATED_ID), sourceAccount, destination, amount, memo };
    return encode(CreateTransferResponseSchema, create(CreateTransferResponseSchema, { transfer }));
  },
};

function answer(stream: ServerHttp2Stream, path: string, request: Buffer): void {
  const message = HANDLERS[path]?.(request.subarray(PREFIX_BYTES));
  if (message === undefined) {
    const status = { "grpc-status": NOT_FOUND, "grpc-message": "there is no such transfer" };
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...status }, { endStream: true });
    return;
  }
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  stream.end(frame);
}

serveParent({
  async serve() {
    const server = createServer({ settings: { maxConcurrentStreams: 1_000 } });
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", () => {}); // Whose call was canceled: there is nobody to tell.
      stream.on("end", () => answer(stream, headers[":path"] ?? "", Buffer.concat(chunks)));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as AddressInfo).port;
  },
});
