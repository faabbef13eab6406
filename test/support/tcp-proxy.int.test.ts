import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { waitFor } from "./platform.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** A server that says everything back, and what came to it. */
async function open(context: TestContext) {
  const heard: string[] = [];
  let ended = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard.push(String(bytes));
      socket.write(`${bytes} too`);
    });
    socket.on("end", () => {
      ended++;
      socket.end("bye");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const proxy = await TcpProxy.start({ port: (server.address() as AddressInfo).port });
  context.after(async () => {
    await proxy.close();
    server.close();
  });
  return { proxy, heard, ended: () => ended };
}

function client(proxy: TcpProxy) {
  const socket: Socket = connect(proxy.port, "127.0.0.1");
  const heard: string[] = [];
  let closed = false;
  socket.on("error", () => {});
  socket.on("data", (bytes) => heard.push(String(bytes)));
  socket.on("close", () => {
    closed = true;
  });
  return { socket, heard, closed: () => closed };
}

test("it carries bytes both ways, later when told so", async (context) => {
  const { proxy } = await open(context);
  const { socket, heard } = client(proxy);
  proxy.latencyMs = 100;
  const sinceMs = performance.now();
  socket.write("a");
  await waitFor("the answer", () => heard.length === 1);
  assert.ok(performance.now() - sinceMs >= 195, "100 ms there and 100 back");
  assert.deepEqual(heard, ["a too"]);
});

test("a cut that delivers: the server has it, and the client hears nothing", async (context) => {
  const { proxy, heard } = await open(context);
  const caller = client(proxy);
  const cut = proxy.cutOnce({ direction: "up", when: (bytes) => bytes.includes("COMMIT"), deliver: true });
  caller.socket.write("COMMIT");
  await cut;
  await waitFor("the end", caller.closed);
  assert.deepEqual([heard, caller.heard, proxy.counts.cuts], [["COMMIT"], [], 1]);
});

test("a cut that does not deliver: nobody has it", async (context) => {
  const { proxy, heard } = await open(context);
  const caller = client(proxy);
  const cut = proxy.cutOnce({ direction: "up", when: () => true, deliver: false });
  caller.socket.write("lost");
  await cut;
  await waitFor("the end", caller.closed);
  assert.deepEqual(heard, []);
});

test("in the dark nothing comes through and nobody is told; afterwards all of it does", async (context) => {
  const { proxy, heard } = await open(context);
  const caller = client(proxy);
  await once(caller.socket, "connect");
  proxy.darken("down");
  caller.socket.write("question");
  await waitFor("the server to hear", () => heard.length === 1);
  await waitFor("the answer to be held", () => proxy.counts.held === 1);
  assert.deepEqual([caller.heard, caller.closed()], [[], false]);
  proxy.lighten();
  await waitFor("the answer", () => caller.heard.length === 1);
});

test("half closed: the server hears of the end, and can still speak", async (context) => {
  const { proxy, ended } = await open(context);
  const caller = client(proxy);
  caller.socket.write("a");
  await waitFor("the answer", () => caller.heard.length === 1);
  proxy.halfCloseAll();
  await waitFor("the last word", () => caller.heard.includes("bye"));
  assert.equal(ended(), 1);
});

test("it can refuse, and cut everything", async (context) => {
  const { proxy } = await open(context);
  const first = client(proxy);
  await waitFor("a connection", () => proxy.open === 1);
  proxy.cutAll();
  await waitFor("the end", first.closed);
  proxy.refusing = true;
  const second = client(proxy);
  await waitFor("the refusal", second.closed);
});
