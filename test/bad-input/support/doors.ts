import { type DescMethod, fromBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { ErrorInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "@ferry/gen/google/rpc/status_pb.ts";
import type { LightMyRequestResponse } from "fastify";
import type { Sample, TestEdge } from "./edge.ts";

/** How a call through a door ended: gRPC's code, 0 for a good end, and Ferry's reason. */
export interface DoorAnswer {
  code: number;
  reason: string | undefined;
}

type DoorCall = (headers: Record<string, string>) => Promise<DoorAnswer>;

/** The request of a sample through each door, as JSON in the door's own frames. */
export function doorCalls(edge: TestEdge, { plan, example }: Sample): { door: string; call: DoorCall }[] {
  const { rpc } = plan.route;
  const url = `/${rpc.parent.typeName}/${rpc.name}`;
  const json = Buffer.from(JSON.stringify(example));
  const key: Record<string, string> = plan.policy.keyRequired ? { "idempotency-key": "k" } : {};
  const ask = (type: string, payload: Buffer) => (headers: Record<string, string>) =>
    edge.app.inject({ method: "POST", url, headers: { ...key, ...headers, "content-type": type }, payload });
  const isUnary = rpc.methodKind === "unary";
  const connect = isUnary
    ? ask("application/json", json)
    : ask("application/connect+json", Buffer.from(encodeEnvelope(0, json)));
  const grpcWeb = ask("application/grpc-web+json", Buffer.from(encodeEnvelope(0, json)));
  return [
    { door: "connect", call: async (headers) => connectEnd(await connect(headers), rpc) },
    { door: "grpc-web", call: async (headers) => grpcWebEnd(await grpcWeb(headers)) },
  ];
}

interface ConnectError {
  code: string;
  details?: { type: string; value: string }[];
}

/** Unary calls fail by the HTTP status and a JSON body; streams by their last frame. */
function connectEnd(answer: LightMyRequestResponse, { methodKind }: DescMethod): DoorAnswer {
  let error: ConnectError | undefined;
  if (methodKind === "unary") error = answer.statusCode === 200 ? undefined : answer.json();
  else error = JSON.parse(framesOf(answer.rawPayload).at(-1)?.toString() ?? "{}").error;
  if (error === undefined) return { code: 0, reason: undefined };
  const code = Object.entries(Code).find(
    ([name]) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase() === error.code,
  );
  const info = error.details?.find(({ type }) => type === "google.rpc.ErrorInfo");
  return {
    code: Number(code?.[1] ?? -1),
    reason: info && fromBinary(ErrorInfoSchema, Buffer.from(info.value, "base64")).reason,
  };
}

/** Trailers come as headers where nothing else comes, and as the last frame otherwise. */
function grpcWebEnd({ headers, rawPayload }: LightMyRequestResponse): DoorAnswer {
  const last = framesOf(rawPayload).at(-1)?.toString() ?? "";
  const trailers = new Map(last.split("\r\n").map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
  const find = (name: string) => headers[name] ?? trailers.get(name);
  const details = find("grpc-status-details-bin");
  const status = details === undefined ? undefined : fromBinary(StatusSchema, Buffer.from(String(details), "base64"));
  const info = status?.details.find(({ typeUrl }) => typeUrl.endsWith("google.rpc.ErrorInfo"));
  return {
    code: Number(find("grpc-status") ?? -1),
    reason: info && fromBinary(ErrorInfoSchema, info.value).reason,
  };
}

/** The bodies of frames of five bytes and a message each. */
function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    frames.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return frames;
}
