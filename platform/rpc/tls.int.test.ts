import assert from "node:assert/strict";
import { test } from "node:test";
import {
  caPem,
  clientCertPem,
  clientKeyPem,
  otherCertPem,
  otherKeyPem,
  serverCertPem,
  serverKeyPem,
} from "./testing/certificates.ts";
import { echoClient, reasonOf, serveEcho } from "./testing/harness.ts";

const server = { certPem: serverCertPem, keyPem: serverKeyPem };
const client = { caPem, certPem: clientCertPem, keyPem: clientKeyPem };
const echo = { echo: () => ({ text: "safe" }) };

test("with a certificate calls are encrypted, and a caller that knows another authority does not go on", async (context) => {
  const { port } = await serveEcho(context, echo, { tls: server });
  const url = `https://localhost:${port}`;
  assert.equal((await echoClient(context, port, { url, tls: { caPem } }).echo({})).text, "safe");
  assert.equal(await reasonOf(echoClient(context, port, { url }).echo({})), "UNAVAILABLE", "not of a known authority");
  assert.equal(await reasonOf(echoClient(context, port).echo({})), "UNAVAILABLE", "plaintext");
  const address = `https://127.0.0.1:${port}`;
  assert.equal((await echoClient(context, port, { url: address, tls: { caPem } }).echo({})).text, "safe");
  const elsewhere = await serveEcho(context, echo, { tls: { certPem: otherCertPem, keyPem: otherKeyPem } });
  for (const host of ["localhost", "127.0.0.1"]) {
    const client = echoClient(context, port, { url: `https://${host}:${elsewhere.port}`, tls: { caPem } });
    assert.equal(await reasonOf(client.echo({})), "UNAVAILABLE", `the certificate is not that of ${host}`);
  }
});

test("with an authority the server takes only callers that prove who they are", async (context) => {
  const { port } = await serveEcho(context, echo, { tls: { ...server, caPem } });
  assert.equal((await echoClient(context, port, { tls: client }).echo({})).text, "safe");
  assert.equal(await reasonOf(echoClient(context, port, { tls: { caPem } }).echo({})), "UNAVAILABLE");
});

test("a certificate without its key is refused at the start", async (context) => {
  await assert.rejects(serveEcho(context, echo, { tls: { certPem: serverCertPem } }), /both certPem and keyPem/);
});
