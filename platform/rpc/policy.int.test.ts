import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceDesc } from "@bufbuild/protobuf/codegenv2";
import type { FerryError } from "@ferry/platform/errors";
import { silentLogger } from "@ferry/platform/telemetry";
import { until } from "../../test/support/until.ts";
import { createRpcClient, createRpcServer, idempotencyKeyOf, memberIdOf, principalOf, waitMsOf } from "./index.ts";
import { createEchoFile, EchoService, PATIENT_MS } from "./testing/echo-service.ts";
import { authenticator, build, channelTo, echoClient, identityOf, reasonOf, serveEcho } from "./testing/harness.ts";

const answer = () => ({ text: "in" });

test("who may call an rpc is what its contract says", async (context) => {
  const { port } = await serveEcho(context, {
    ...{ echo: answer, member: answer, lenient: answer, operator: answer, anyService: answer, oneService: answer },
  });
  const client = echoClient(context, port);
  const callers = {
    nobody: undefined,
    stranger: "Bearer nonsense",
    member: "member/m1/echo:use",
    scopeless: "member/m1/other",
    suspended: "member/suspended-1/echo:use",
    operator: "operator/o1/echo:use",
    transfer: "service/transfer",
    payment: "service/payment",
  };
  const [no, bad, denied] = ["UNAUTHENTICATED", "TOKEN_INVALID", "PERMISSION_DENIED"];
  const expected = {
    echo: ["OK", "OK", "OK", "OK", "OK", "OK", "OK", "OK"],
    member: [no, bad, "OK", "SCOPE_MISSING", "MEMBER_SUSPENDED", "OK", denied, denied],
    lenient: [no, bad, "OK", "OK", "OK", "OK", denied, denied],
    operator: [no, bad, denied, denied, denied, "OK", denied, denied],
    anyService: [no, bad, denied, denied, denied, denied, "OK", "OK"],
    oneService: [no, bad, denied, denied, denied, denied, "OK", denied],
  };
  for (const [rpc, reasons] of Object.entries(expected)) {
    const found: string[] = [];
    for (const credentials of Object.values(callers)) {
      const headers =
        credentials === undefined ? undefined : { authorization: credentials.replace(/^(?!Bearer)/, "Bearer ") };
      found.push(await reasonOf(client[rpc as keyof typeof expected]({}, { headers })));
    }
    assert.deepEqual(found, reasons, rpc);
  }
});

test("a handler learns who calls, and a channel's identity goes with calls that have no credentials of their own", async (context) => {
  const { port } = await serveEcho(context, {
    member: (_, call) => ({ text: `${principalOf(call).kind} ${memberIdOf(call)}` }),
    anyService: (_, call) => ({ text: `${principalOf(call).kind} ${principalOf(call).id}` }),
    echo: (_, call) => ({ text: principalOf(call).id }),
    oneService: (_, call) => ({ text: memberIdOf(call) }),
  });
  const client = echoClient(context, port, { identity: identityOf("transfer") });
  assert.equal((await client.anyService({})).text, "service transfer");
  const headers = { authorization: "Bearer member/m1/echo:use" };
  assert.equal((await client.member({}, { headers })).text, "member m1");
  assert.equal(await reasonOf(client.echo({})), "INTERNAL");
  assert.equal(await reasonOf(client.oneService({})), "PERMISSION_DENIED");
});

test("an idempotency key is 1 to 255 printable ASCII characters where the contract requires one", async (context) => {
  const { port } = await serveEcho(context, {
    keyed: (_, call) => ({ text: idempotencyKeyOf(call) }),
    echo: (_, call) => ({ text: idempotencyKeyOf(call) }),
  });
  const client = echoClient(context, port);
  const withKey = (key: string) => client.keyed({}, { headers: { "idempotency-key": key } });
  assert.equal((await withKey("order 1/2~")).text, "order 1/2~");
  assert.equal((await withKey("k".repeat(255))).text.length, 255);
  for (const key of ["", "k".repeat(256), "tab\there", "sch\u00f6n"])
    assert.equal(await reasonOf(withKey(key)), "IDEMPOTENCY_KEY_INVALID", JSON.stringify(key));
  assert.equal(await reasonOf(client.keyed({})), "IDEMPOTENCY_KEY_INVALID");
  const twice = new Headers([
    ["idempotency-key", "a"],
    ["idempotency-key", "b"],
  ]);
  assert.equal((await client.keyed({}, { headers: twice })).text, "a, b", "Headers join what stands twice");
  assert.equal(await reasonOf(client.echo({})), "INTERNAL", "where none is required, asking for one is a bug");
});

test("a request that breaks the contract's rules is refused with the fields named as in the contract", async (context) => {
  let handled = 0;
  const { port } = await serveEcho(context, {
    echo: () => ({ number: ++handled }),
    async *chat(requests) {
      for await (const { text } of requests) yield { text };
    },
  });
  const client = echoClient(context, port);
  const refused = async (request: Parameters<typeof client.echo>[0]) => {
    const error = await client.echo(request).then(
      () => assert.fail(),
      (thrown: FerryError) => thrown,
    );
    assert.equal(error.reason, "INVALID_REQUEST");
    return error.fields.map(({ field }) => field);
  };
  assert.deepEqual(await refused({ amount: { minorUnits: 0n } }), ["amount.minor_units"]);
  assert.deepEqual(await refused({ text: "a\u0000b", tags: ["ok", "\u0000"], amount: { minorUnits: -1n } }), [
    ...["text", "tags[1]", "amount.minor_units"],
  ]);
  assert.equal(handled, 0);
  async function* requests() {
    yield { text: "good" };
    yield { text: "\u0000" };
  }
  const texts: string[] = [];
  const chat = (async () => {
    for await (const { text } of client.chat(requests())) texts.push(text);
  })();
  assert.equal(await reasonOf(chat), "INVALID_REQUEST");
  assert.deepEqual(texts, ["good"]);
});

test("the time a caller is willing to wait is read from its preference, up to the contract's limit", async (context) => {
  const { port } = await serveEcho(context, {
    echo: (_, call) => ({ number: waitMsOf(call), text: limitOf(call.timeoutMs() ?? Infinity) }),
    once: (_, call) => ({ number: waitMsOf(call) }),
  });
  /** By which limit so much time is left. */
  const limitOf = (leftMs: number) =>
    leftMs <= PATIENT_MS ? "the contract's" : leftMs <= 1.5 * PATIENT_MS ? "and the wait" : "none";
  const client = echoClient(context, port);
  const asked = async (prefer: string) => {
    const { number, text } = await client.echo({}, { headers: { prefer } });
    return [number, text];
  };
  assert.deepEqual(await asked("wait=0"), [0, "the contract's"]);
  assert.deepEqual(await asked("respond-async, wait=50"), [PATIENT_MS / 2, "and the wait"]);
  assert.deepEqual(await asked("waiting=5"), [0, "the contract's"]);
  assert.equal((await client.once({}, { headers: { prefer: "wait=5" } })).number, 0);
});

test("a server with an rpc that nobody said who may call does not start", () => {
  const create = (policy: NonNullable<Parameters<typeof createEchoFile>[1][number]["policy"]> | undefined) =>
    createRpcServer({
      ...{ service: "echo", port: 0, authenticator, logger: silentLogger, build },
      routes(router) {
        const file = createEchoFile("ferry/test/v1/open.proto", [{ name: "Open", policy }]);
        router.service(serviceDesc(file, 0), {});
      },
    });
  assert.throws(
    () => create(undefined),
    /ferry\/test\/v1\/open\.proto: rpc ferry\.test\.v1\.EchoService\.Open has no option/,
  );
  assert.throws(() => create({ deadlineMs: 5 }), /open\.proto: rpc .*Open does not say who may call/);
  assert.throws(() => create({ auth: 1 }), /open\.proto: rpc .*Open has no deadline_ms/);
});

test("a server with two implementations of one rpc does not start", () => {
  const routes = { service: "echo", port: 0, authenticator, logger: silentLogger, build };
  assert.throws(
    () =>
      createRpcServer({ ...routes, routes: (router) => void router.service(EchoService, {}).service(EchoService, {}) }),
    /two implementations/,
  );
});

test("the build of the server is told to anybody", async (context) => {
  const { BuildService } = await import("@ferry/gen/ferry/build/v1/build_pb.ts");
  const { port } = await serveEcho(context, {});
  const client = createRpcClient(BuildService, channelTo(context, port));
  // Its contract gives it a second, which a busy machine may take up.
  const getBuild = () =>
    client.getBuild({}).catch((error: FerryError) => {
      assert.equal(error.reason, "DEADLINE_EXCEEDED");
      return undefined;
    });
  const { service, version, commit } = await until("the build", getBuild);
  assert.deepEqual([service, version, commit], ["echo", "1.2.3", "abc"]);
});
