import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import { GetHomeRequestSchema } from "@ferry/gen/ferry/home/v1/home_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { type Backend, type BackendCall, COMPOSED, exposedServices } from "../backends.ts";
import { withComposition } from "./index.ts";
import { type HomeChange, homeWith } from "./testing/home-with.ts";

type Answer = (rpc: DescMethodUnary, request: Message, call: BackendCall) => Promise<Message>;

/** Home composed of what one function answers, as a changed contract says. */
function composed(change: HomeChange, unary: Answer) {
  const service = homeWith(change);
  const others = exposedServices.filter(({ backend }) => backend !== COMPOSED);
  const backend = (name: string): Backend => ({
    name,
    unready: () => undefined,
    unary,
    stream: () => assert.fail("no stream is asked for"),
  });
  const names = [...new Set(others.flatMap(({ backend: name }) => name))];
  const backends = new Map(names.map((name) => [name, backend(name)]));
  const home = withComposition(backends, [...others, { service, backend: COMPOSED }]).get(COMPOSED)!;
  const rpc = service.method.getHome as DescMethodUnary;
  return (call: BackendCall) => home.unary(rpc, create(GetHomeRequestSchema), call);
}

const asked = { headers: {}, timeoutMs: 2_500 };

test("without a required part there is no answer: its error comes at once, and the other calls end", async () => {
  const ended: string[] = [];
  const home = composed(
    (_, part) => (part("accounts").required = true),
    (rpc, _request, { signal }) => {
      if (rpc.name === "ListAccounts") return Promise.reject(new FerryError("UNAVAILABLE", "away"));
      return new Promise(() => signal?.addEventListener("abort", () => ended.push(rpc.name)));
    },
  );
  await assert.rejects(home(asked), (error: FerryError) => error.reason === "UNAVAILABLE");
  assert.deepEqual(ended.sort(), ["GetCurrentMember", "ListPayments", "ListTransferBatches", "ListTransfers"]);
});

test("parts have no more time than their caller has, less what the answer needs", async () => {
  const timeouts: number[] = [];
  const home = composed(
    () => {},
    async (rpc, _request, { timeoutMs }) => {
      timeouts.push(timeoutMs);
      return create(rpc.output);
    },
  );
  await home({ ...asked, timeoutMs: 400 });
  assert.deepEqual(timeouts, [300, 300, 300, 300, 300]);
  await assert.rejects(home({ ...asked, timeoutMs: 50 }), (error: FerryError) => error.reason === "DEADLINE_EXCEEDED");
  const signal = AbortSignal.abort();
  await assert.rejects(home({ ...asked, signal }), (error: FerryError) => error.reason === "CANCELED");
});
