import type { Message } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";
import { type Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { fromWireStatus, toFerryError } from "../status.ts";
import type { Connection } from "./connection.ts";
import type { CalledMethod } from "./method.ts";

/** One try of a call: what goes out, and until when. */
export interface Outgoing {
  connection: Connection;
  method: CalledMethod;
  metadata: Metadata;
  deadlineAtMs: number;
  signal: AbortSignal | undefined;
}

export interface Incoming {
  message: Message;
  header: Metadata | undefined;
  trailer: Metadata;
}

/** Sends one message and waits for one. Rejects with FerryError. */
export async function sendUnary(out: Outgoing, body: Buffer): Promise<Incoming> {
  const { connection, deadlineAtMs, signal } = out;
  const pending = connection.ready(deadlineAtMs, signal);
  if (pending !== undefined) await pending;
  if (signal?.aborted === true) throw toFerryError(signal.reason);
  return new Promise((resolve, reject) => {
    const { desc, path } = out.method;
    const call = connection.channel.createCall(path, deadlineAtMs, null, null, null);
    let header: Metadata | undefined;
    let bytes: Uint8Array | undefined;
    let extra = false;
    const abort = () => call.cancelWithStatus(Status.CANCELLED, "canceled by the caller");
    call.start(out.metadata, {
      onReceiveMetadata(metadata) {
        header = metadata;
      },
      onReceiveMessage(received) {
        extra ||= bytes !== undefined;
        bytes = received;
        call.startRead();
      },
      onReceiveStatus(status) {
        signal?.removeEventListener("abort", abort);
        if (status.code !== Status.OK) reject(errorOf(out, status));
        else if (bytes === undefined || extra)
          reject(broken(`${path} answered with ${extra ? "several messages" : "none"}`));
        else {
          try {
            resolve({ message: fromBinary(desc.output, bytes), header, trailer: status.metadata });
          } catch (error) {
            reject(broken(`the answer of ${path} is not a ${desc.output.typeName}`, error));
          }
        }
      },
    });
    signal?.addEventListener("abort", abort, { once: true });
    call.sendMessageWithContext({}, body);
    call.halfClose();
    call.startRead();
  });
}

/** The error of a call that ended with a status other than OK. */
export function errorOf({ signal, deadlineAtMs }: Outgoing, status: StatusObject): FerryError {
  if (status.code === Status.CANCELLED) {
    if (signal?.aborted === true) return toFerryError(signal.reason);
    // A server whose own timer fires first resets the stream, which reads as canceled here.
    if (Date.now() >= deadlineAtMs) return fromWireStatus({ ...status, code: Status.DEADLINE_EXCEEDED });
  }
  // The engine rejects what it cannot parse with statuses that have no code.
  return Number.isInteger(status.code) ? fromWireStatus(status) : broken(status.details);
}

/** A peer that does not keep to the protocol. */
export function broken(text: string, cause?: unknown): FerryError {
  return new FerryError("INTERNAL", "internal error", { cause: new Error(text, { cause }) });
}
