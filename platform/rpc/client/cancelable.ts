import type { DescMethodStreaming, Message } from "@bufbuild/protobuf";
import type { CallOptions, StreamResponse, Transport } from "@connectrpc/connect";
import type { MessageInit } from "../metadata.ts";

/**
 * A streaming call whose iterable ends the call when it is left early. Connect's own client drops
 * `return()`, so that a `break` leaves the stream open until its deadline, which some have not.
 */
export function cancelable(
  transport: Transport,
  method: DescMethodStreaming,
  input: MessageInit | AsyncIterable<MessageInit>,
  options: CallOptions = {},
): AsyncIterable<Message> {
  const requests =
    method.methodKind === "server_streaming" ? once(input as MessageInit) : (input as AsyncIterable<MessageInit>);
  const { signal, timeoutMs, headers, contextValues } = options;
  const opened = transport.stream(method, signal, timeoutMs, headers, requests as never, contextValues);
  // Who never reads would otherwise turn a refused call into an unhandled rejection.
  opened.catch(() => {});
  return read(opened, options);
}

async function* read(opened: Promise<StreamResponse>, options: CallOptions): AsyncIterable<Message> {
  const { header, trailer, message } = await opened;
  options.onHeader?.(header);
  yield* message;
  options.onTrailer?.(trailer);
}

async function* once(message: MessageInit): AsyncIterable<MessageInit> {
  yield message;
}
