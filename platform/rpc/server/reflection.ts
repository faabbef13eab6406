import type { DescFile } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "@ferry/gen/google/rpc/error_details_pb.ts";
import * as v1 from "@ferry/gen/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "@ferry/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { type DescriptorIndex, indexDescriptors } from "./descriptors.ts";

const NOT_FOUND = 5;

type Question = (v1.ServerReflectionRequest | v1alpha.ServerReflectionRequest)["messageRequest"];

/**
 * gRPC server reflection, v1 and v1alpha, so that grpcurl and its kin need no .proto files. Files are
 * given as they were generated: custom options, such as who may call an rpc, can be read from outside.
 *
 * @param files The contracts of the services that the server offers.
 */
export function reflectionRoutes(files: readonly DescFile[]): (router: ConnectRouter) => void {
  const roots = [
    ...new Set([...files, v1.file_grpc_reflection_v1_reflection, v1alpha.file_grpc_reflection_v1alpha_reflection]),
  ];
  // Tools ask for the details of an error by their type; no contract imports them.
  const index = indexDescriptors([...roots, file_google_rpc_error_details]);
  const service = roots.flatMap((file) => file.services.map(({ typeName }) => ({ name: typeName })));
  return (router) => {
    router.service(v1.ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = answer(index, service, request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    });
    // The two versions have the same messages under two names.
    router.service(v1alpha.ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = answer(index, service, request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    });
  };
}

function answer(index: DescriptorIndex, service: readonly { name: string }[], question: Question) {
  switch (question.case) {
    case "fileByFilename":
      return fileAnswer(index, index.findFile(question.value), question.value);
    case "fileContainingSymbol":
      return fileAnswer(index, index.findSymbol(question.value), question.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const file = index.findExtension(containingType, extensionNumber);
      return fileAnswer(index, file, `${containingType} ${extensionNumber}`);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = index.extensionNumbers(question.value);
      const value = { baseTypeName: question.value, extensionNumber };
      return { case: "allExtensionNumbersResponse" as const, value };
    }
    case "listServices":
      return { case: "listServicesResponse" as const, value: { service: [...service] } };
    case undefined:
      return missing("an unknown kind of question");
    default:
      return question satisfies never;
  }
}

function fileAnswer(index: DescriptorIndex, file: DescFile | undefined, name: string) {
  if (file === undefined) return missing(name);
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto: index.closureOf(file) } };
}

function missing(name: string) {
  return { case: "errorResponse" as const, value: { errorCode: NOT_FOUND, errorMessage: `not found: ${name}` } };
}
