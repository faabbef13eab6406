import type { Transport } from "@connectrpc/connect";
import { readAllBytes, type UniversalClientFn, universalClientResponseFromFetch } from "@connectrpc/connect/protocol";
import { createTransport as createConnectTransport } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import type { Door } from "../index.ts";

const TRANSPORTS = { connect: createConnectTransport, "grpc-web": createGrpcWebTransport };
const LARGEST_BYTES = 1_000_000;

/** As browsers send requests: their fetch takes no stream as a body. */
const fetchWhole: UniversalClientFn = async ({ url, method, header, body, signal }) => {
  const whole = body === undefined ? null : await readAllBytes(body, LARGEST_BYTES);
  const answer = await fetch(url, { method, headers: header, body: whole, signal: signal ?? null });
  return universalClientResponseFromFetch(answer);
};

/** Connect's own client in one of the protocols, over fetch. */
export function doorTransport(door: Door, baseUrl: string, useBinaryFormat = true): Transport {
  return TRANSPORTS[door]({
    ...{ baseUrl, useBinaryFormat, interceptors: [], acceptCompression: [], sendCompression: null },
    ...{ compressMinBytes: 1_024, readMaxBytes: LARGEST_BYTES, writeMaxBytes: LARGEST_BYTES },
    httpClient: fetchWhole,
  });
}
