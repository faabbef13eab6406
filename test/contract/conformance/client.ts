import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { StatusSchema } from "@ferry/gen/google/rpc/status_pb.ts";
import { encode } from "@ferry/platform/codec";
import { silentLogger } from "@ferry/platform/telemetry";
import type { Outgoing } from "../../../platform/rpc/client/call.ts";
import { calledMethod } from "../../../platform/rpc/client/method.ts";
import { Sessions } from "../../../platform/rpc/client/sessions.ts";
import { openStream } from "../../../platform/rpc/client/stream.ts";
import { sendUnary } from "../../../platform/rpc/client/unary.ts";
import { frameOf } from "../../../platform/rpc/frames.ts";
import { headerListOf, headersOf } from "../../../platform/rpc/metadata.ts";
import { DETAILS, toFerryError } from "../../../platform/rpc/status.ts";
import { clientSecurity } from "../../../platform/rpc/tls.ts";
import {
  addHeaders,
  CLIENT_STREAM,
  type ClientCompatRequest,
  ClientCompatRequestSchema,
  ClientCompatResponseSchema,
  ConformanceService,
  FULL_DUPLEX,
  GZIP,
  headersToProto,
  type Payload,
  PayloadSchema,
  type Result,
  readMessages,
  writeMessage,
} from "./contract.ts";

// The client under test: makes the calls that the suite describes, and tells what came of each.

const AT_ONCE = 8;

/** Sees the metadata of the one call of a case: a FerryError does not carry it. */
class WatchedSessions extends Sessions {
  header: IncomingHttpHeaders | undefined;
  trailer: IncomingHttpHeaders | undefined;
  onRequest: () => void = () => {};

  override take(...args: Parameters<Sessions["take"]>): ReturnType<Sessions["take"]> {
    const taken = super.take(...args);
    return taken instanceof Promise ? taken.then((session) => this.watch(session)) : this.watch(taken);
  }

  private watch(session: ClientHttp2Session): ClientHttp2Session {
    const request = session.request.bind(session);
    session.request = (...args) => {
      const stream = request(...args);
      stream.on("response", (received) => {
        this.header = received;
      });
      stream.on("trailers", (received) => {
        this.trailer = received;
      });
      this.onRequest();
      return stream;
    };
    return session;
  }
}

function sessionsOf({ host, port, serverTlsCert, clientTlsCreds }: ClientCompatRequest): WatchedSessions {
  const isSecure = serverTlsCert.length > 0;
  const text = (pem: Uint8Array | undefined) => Buffer.from(pem ?? []).toString();
  const tls = { caPem: text(serverTlsCert), certPem: text(clientTlsCreds?.cert), keyPem: text(clientTlsCreds?.key) };
  return new WatchedSessions({
    url: new URL(`${isSecure ? "https" : "http"}://${host}:${port}`),
    audience: "conformance",
    tls: clientSecurity(isSecure ? tls : undefined, host),
    connectTimeoutMs: 5_000,
    renewAfterMs: 10_000,
    logger: silentLogger,
  });
}

/** Makes the call; payloads are kept as they come, so that those before an error are not lost. */
async function exchange(request: ClientCompatRequest, sessions: WatchedSessions, payloads: Payload[]): Promise<void> {
  const { requestDelayMs, timeoutMs } = request;
  const desc = ConformanceService.methods.find(({ name }) => name === request.method);
  if (desc === undefined) throw new Error(`there is no rpc ${request.method}`);
  const messages = request.requestMessages.map((any) => anyUnpack(any, desc.input) as Message);
  const timing = request.cancel?.cancelTiming;
  const canceler = new AbortController();
  const closed = () => {
    if (timing?.case === "afterCloseSendMs") setTimeout(() => canceler.abort(), timing.value);
  };
  const out: Outgoing = {
    sessions,
    method: calledMethod(desc),
    headers: requestHeaders(request),
    deadlineAtMs: timeoutMs === undefined ? Infinity : Date.now() + timeoutMs,
    signal: canceler.signal,
    maxMessageBytes: request.messageReceiveLimit || 64 * 1_024 * 1_024,
  };
  const keep = (answer: Message & { payload?: Payload }) => payloads.push(answer.payload ?? create(PayloadSchema));

  if (desc.methodKind === "unary") {
    await sleep(requestDelayMs);
    sessions.onRequest = closed;
    keep((await sendUnary(out, frameOf(encode(desc.input, messages[0]!)))).message);
    return;
  }
  let answered = () => {};
  async function* requests() {
    for (const [index, message] of messages.entries()) {
      await sleep(requestDelayMs);
      yield message;
      while (request.streamType === FULL_DUPLEX && payloads.length <= index)
        await new Promise<void>((resolve) => {
          answered = resolve;
        });
    }
    if (timing?.case === "beforeCloseSend") canceler.abort();
    else closed();
  }
  const { message: answers } = await openStream(out, requests());
  for await (const answer of answers) {
    keep(answer);
    answered();
    if (timing?.case === "afterNumResponses" && payloads.length === timing.value) canceler.abort();
  }
}

function requestHeaders({ requestHeaders: given, compression }: ClientCompatRequest) {
  const headers = new Headers();
  addHeaders(given, headers);
  const list = headerListOf(headers);
  // The platform sends nothing packed. Messages that stay as they are may still be announced so.
  if (compression === GZIP) list.push("grpc-encoding", "gzip");
  return list;
}

interface Failed {
  code: number;
  message: string;
  details: Any[];
}

/** The error as the platform understood it: by the status it names as the cause, else by its reason. */
function failureOf(thrown: unknown, trailer: IncomingHttpHeaders | undefined): Failed {
  const error = toFerryError(thrown);
  const cause = error.cause instanceof Error ? error.cause.message : "";
  const told = /^gRPC status (\w+): (.*)$/s.exec(cause);
  if (told === null) return { code: error.entry.grpcCode, message: `${error.message}; ${cause}`, details: [] };
  const [, name = "", message = ""] = told;
  const packed = trailer?.[DETAILS];
  const details = typeof packed === "string" ? fromBinary(StatusSchema, Buffer.from(packed, "base64")).details : [];
  return { code: Code[name as keyof typeof Code] ?? Number(name), message, details };
}

async function run(request: ClientCompatRequest): Promise<MessageInitShape<GenMessage<Result>>> {
  const sessions = sessionsOf(request);
  const payloads: Payload[] = [];
  let error: Failed | undefined;
  try {
    await exchange(request, sessions, payloads);
  } catch (thrown) {
    error = failureOf(thrown, sessions.trailer ?? sessions.header);
    // Connect's clients give the one message of such an rpc to nobody when the call fails.
    if (request.streamType === CLIENT_STREAM) payloads.length = 0;
  }
  sessions.close();
  const responseHeaders = headersToProto(headersOf(sessions.header));
  const trailer = sessions.trailer ?? (error === undefined ? undefined : sessions.header);
  return { responseHeaders, payloads, error, responseTrailers: headersToProto(headersOf(trailer)) };
}

// Sessions of a channel do not keep a process alive.
const alive = setInterval(() => {}, 60_000);
const running = new Set<Promise<void>>();
for await (const request of readMessages(ClientCompatRequestSchema)) {
  const call = run(request).then((value) => {
    const { testName } = request;
    const response = create(ClientCompatResponseSchema, { testName, result: { case: "response", value } });
    writeMessage(ClientCompatResponseSchema, response);
    running.delete(call);
  });
  running.add(call);
  if (running.size >= AT_ONCE) await Promise.race(running);
}
await Promise.all(running);
clearInterval(alive);
