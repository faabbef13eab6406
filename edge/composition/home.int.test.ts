import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { COMPOSED, exposedServices } from "../backends.ts";
import { createHarness } from "../testing/harness.ts";
import { homeWith } from "./testing/home-with.ts";

const PARTS = ["member", "accounts", "transfers", "payments", "batches"];

test("a client that leaves ends the calls of all parts", async (t) => {
  const calls: { asked: Promise<void>; ended: Promise<void> }[] = [];
  const answers = Object.fromEntries(
    ["GetCurrentMember", "ListAccounts", "ListTransfers", "ListPayments", "ListTransferBatches"].map((rpc) => {
      const asked = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      calls.push({ asked: asked.promise, ended: ended.promise });
      const hangs = (_request: never, { signal }: HandlerContext) => {
        asked.resolve();
        return new Promise((_done, fail) =>
          signal.addEventListener("abort", () => {
            ended.resolve();
            fail(signal.reason);
          }),
        );
      };
      return [rpc, hangs];
    }),
  );
  const patient = homeWith(({ service }, part) => {
    service[0]!.method[0]!.options["[ferry.options.v1.method]"].deadlineMs = 60_000;
    for (const name of PARTS) part(name).deadlineMs = 30_000;
  });
  const others = exposedServices.filter(({ backend }) => backend !== COMPOSED);
  const services = [...others, { service: patient, backend: COMPOSED }];
  const { components, port, bearer } = await createHarness({ answers, services });
  for (const component of components) await component.start?.();
  t.after(async () => {
    for (const component of components) await component.stop?.();
  });
  const headers = { authorization: bearer() };
  const leaving = request({ host: "127.0.0.1", port: port(), path: "/v1/home", headers });
  leaving.on("error", () => {});
  leaving.end();
  await Promise.all(calls.map(({ asked }) => asked));
  const leftAtMs = performance.now();
  leaving.destroy();
  await Promise.all(calls.map(({ ended }) => ended));
  assert.ok(performance.now() - leftAtMs < 15_000, "at once, not by their deadlines");
});
