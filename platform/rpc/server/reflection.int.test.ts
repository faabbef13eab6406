import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary, getOption, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { TransferService } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { http } from "@ferry/gen/google/api/annotations_pb.ts";
import * as v1 from "@ferry/gen/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "@ferry/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { silentLogger } from "@ferry/platform/telemetry";
import { createRpcClient, createRpcServer } from "../index.ts";
import { authenticator, build, channelTo } from "../testing/harness.ts";

type Question = v1.ServerReflectionRequest["messageRequest"];

async function start(context: Parameters<typeof channelTo>[0]) {
  const server = createRpcServer({
    ...{ service: "transfer", port: 0, authenticator, logger: silentLogger, build },
    routes: (router) => void router.service(TransferService, {}),
  });
  await server.start();
  context.after(() => server.stop());
  return channelTo(context, server.port);
}

for (const [version, service] of [
  ["v1", v1.ServerReflection],
  ["v1alpha", v1alpha.ServerReflection as unknown as typeof v1.ServerReflection],
] as const) {
  test(`reflection ${version} tells contracts with their custom options`, async (context) => {
    const client = createRpcClient(service, await start(context));
    async function ask(...questions: Question[]) {
      async function* requests() {
        for (const messageRequest of questions) yield { messageRequest };
      }
      const answers: v1.ServerReflectionResponse["messageResponse"][] = [];
      for await (const { messageResponse } of client.serverReflectionInfo(requests())) answers.push(messageResponse);
      return answers;
    }
    const [list, bySymbol, byFile, none] = await ask(
      { case: "listServices", value: "" },
      { case: "fileContainingSymbol", value: "ferry.transfer.v1.TransferService.CreateTransfer" },
      { case: "fileByFilename", value: "ferry/transfer/v1/transfer.proto" },
      { case: "fileContainingSymbol", value: "ferry.none.V1" },
    );
    assert.ok(list?.case === "listServicesResponse");
    assert.deepEqual(list.value.service.map(({ name }) => name).sort(), [
      "ferry.build.v1.BuildService",
      "ferry.transfer.v1.TransferService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
    assert.ok(none?.case === "errorResponse" && none.value.errorCode === 5);
    assert.ok(byFile?.case === "fileDescriptorResponse");
    assert.ok(bySymbol?.case === "fileDescriptorResponse");
    assert.equal(byFile.value.fileDescriptorProto.length, bySymbol.value.fileDescriptorProto.length);

    const files = bySymbol.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const method = registryOf(files).getService("ferry.transfer.v1.TransferService")?.method.createTransfer;
    assert.ok(method !== undefined);
    const policy = getOption(method, policyOption);
    assert.deepEqual([policy.scopes, policy.deadlineMs, policy.handlesSuspension], [["transfers:write"], 5_000, true]);
    assert.deepEqual(getOption(method, http).pattern, { case: "post", value: "/v1/transfers" });
  });
}

test("reflection finds extensions by the type that they extend", async (context) => {
  const client = createRpcClient(v1.ServerReflection, await start(context));
  async function* requests() {
    const containingType = "google.protobuf.MethodOptions";
    yield { messageRequest: { case: "allExtensionNumbersOfType" as const, value: containingType } };
    yield {
      messageRequest: { case: "fileContainingExtension" as const, value: { containingType, extensionNumber: 50_001 } },
    };
  }
  const answers: v1.ServerReflectionResponse["messageResponse"][] = [];
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) answers.push(messageResponse);
  const [numbers, file] = answers;
  assert.ok(numbers?.case === "allExtensionNumbersResponse" && numbers.value.extensionNumber.includes(50_001));
  assert.ok(file?.case === "fileDescriptorResponse");
  const names = file.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
  assert.equal(names[0], "ferry/options/v1/options.proto");
});

/** The registry that a tool would build from what it was told. */
function registryOf(file: FileDescriptorProto[]) {
  const bytes = toBinary(FileDescriptorSetSchema, {
    $typeName: "google.protobuf.FileDescriptorSet",
    file: file.toReversed(),
  });
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
}
