import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { freePort } from "../../../test/support/free-port.ts";
import { createRpcServer } from "../index.ts";
import { EchoService } from "../testing/echo-service.ts";
import { authenticator, build } from "../testing/harness.ts";

test("a server that is stopped while it begins to listen listens no longer", async (context) => {
  const server = createRpcServer({
    ...{ service: "echo", port: await freePort(), authenticator, logger, build },
    routes: (router) => void router.service(EchoService, {}),
  });
  context.after(() => server.stop());
  const started = server.start();
  await server.stop();
  await started;
  const socket = connect(server.port, "127.0.0.1");
  const end = await new Promise<string | undefined>((resolve) => {
    socket.on("connect", () => resolve("connected"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  assert.deepEqual([end, server.unready()], ["ECONNREFUSED", "stopping"]);
});
