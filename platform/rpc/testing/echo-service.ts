import { create, type Message, type MessageInitShape, setExtension, toBinary } from "@bufbuild/protobuf";
import { fileDesc, type GenMessage, type GenService, messageDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import { base64Encode } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import {
  FieldRulesSchema,
  field as fieldRules,
  file_buf_validate_validate,
} from "@ferry/gen/buf/validate/validate_pb.ts";
import {
  Auth,
  file_ferry_options_v1_options,
  IdempotencyKey,
  type MethodPolicySchema,
  MethodPolicySchema as PolicySchema,
  method as policyOption,
  Retry,
} from "@ferry/gen/ferry/options/v1/options_pb.ts";

// A contract for tests, made at run time: it has what no contract of the platform has, such as a
// client stream and an rpc without a policy.

export type Amount = Message<"ferry.test.v1.Amount"> & { minorUnits: bigint };
export type EchoRequest = Message<"ferry.test.v1.EchoRequest"> & {
  text: string;
  number: number;
  amount?: Amount;
  tags: string[];
};
export type EchoResponse = Message<"ferry.test.v1.EchoResponse"> & { text: string; number: number };

type Policy = MessageInitShape<typeof MethodPolicySchema>;
type Rpc = { name: string; in?: boolean; out?: boolean; policy?: Policy };

const REPEATED = Label.REPEATED;

const messages: MessageInitShape<typeof FileDescriptorProtoSchema>["messageType"] = [
  {
    name: "Amount",
    field: [{ name: "minor_units", number: 1, type: Type.INT64, label: Label.OPTIONAL, options: positive() }],
  },
  {
    name: "EchoRequest",
    field: [
      { name: "text", number: 1, type: Type.STRING, label: Label.OPTIONAL },
      { name: "number", number: 2, type: Type.INT32, label: Label.OPTIONAL },
      { name: "amount", number: 3, type: Type.MESSAGE, typeName: ".ferry.test.v1.Amount", label: Label.OPTIONAL },
      { name: "tags", number: 4, type: Type.STRING, label: REPEATED },
    ],
  },
  {
    name: "EchoResponse",
    field: [
      { name: "text", number: 1, type: Type.STRING, label: Label.OPTIONAL },
      { name: "number", number: 2, type: Type.INT32, label: Label.OPTIONAL },
    ],
  },
];

const rpcsWith = (deadlineMs: number): readonly Rpc[] => [
  { name: "Echo", policy: { auth: Auth.PUBLIC, deadlineMs, maxWaitMs: deadlineMs / 2, retry: Retry.SAFE } },
  { name: "Once", policy: { auth: Auth.PUBLIC, deadlineMs, retry: Retry.NEVER } },
  { name: "Keyed", policy: { auth: Auth.PUBLIC, deadlineMs, idempotencyKey: IdempotencyKey.REQUIRED } },
  { name: "Member", policy: { auth: Auth.MEMBER, scopes: ["echo:use"], deadlineMs } },
  { name: "Lenient", policy: { auth: Auth.MEMBER, deadlineMs, handlesSuspension: true } },
  { name: "Operator", policy: { auth: Auth.OPERATOR, deadlineMs } },
  { name: "AnyService", policy: { auth: Auth.SERVICE, deadlineMs } },
  { name: "OneService", policy: { auth: Auth.SERVICE, callers: ["transfer"], deadlineMs } },
  { name: "Count", out: true, policy: { auth: Auth.PUBLIC, deadlineMs } },
  { name: "Watch", out: true, policy: { auth: Auth.PUBLIC } },
  { name: "Collect", in: true, policy: { auth: Auth.PUBLIC, deadlineMs } },
  { name: "Chat", in: true, out: true, policy: { auth: Auth.PUBLIC, deadlineMs } },
];

/** amount.minor_units must be above zero. */
function positive() {
  const options = create(FieldOptionsSchema);
  const rules = { type: { case: "int64" as const, value: { greaterThan: { case: "gt" as const, value: 0n } } } };
  setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  return options;
}

function methodOf({ name, in: clientStreaming = false, out: serverStreaming = false, policy }: Rpc) {
  const options = create(MethodOptionsSchema);
  if (policy !== undefined) setExtension(options, policyOption, create(PolicySchema, policy));
  const types = { inputType: ".ferry.test.v1.EchoRequest", outputType: ".ferry.test.v1.EchoResponse" };
  return { name, clientStreaming, serverStreaming, options, ...types };
}

/** A file with one service of these rpcs. */
export function createEchoFile(name: string, rpcs: readonly Rpc[]) {
  const proto = create(FileDescriptorProtoSchema, {
    name,
    package: "ferry.test.v1",
    syntax: "proto3",
    dependency: ["ferry/options/v1/options.proto", "buf/validate/validate.proto"],
    messageType: messages as DescriptorProto[],
    service: [{ name: "EchoService", method: rpcs.map(methodOf) }],
  });
  const encoded = base64Encode(toBinary(FileDescriptorProtoSchema, proto));
  return fileDesc(encoded, [file_ferry_options_v1_options, file_buf_validate_validate]);
}

const file = createEchoFile("ferry/test/v1/echo.proto", rpcsWith(1_000));

export const EchoRequestSchema = messageDesc(file, 1) as GenMessage<EchoRequest>;
export const EchoResponseSchema = messageDesc(file, 2) as GenMessage<EchoResponse>;

type Kind<K extends string> = { methodKind: K; input: typeof EchoRequestSchema; output: typeof EchoResponseSchema };

type EchoServiceDesc = GenService<{
  echo: Kind<"unary">;
  once: Kind<"unary">;
  keyed: Kind<"unary">;
  member: Kind<"unary">;
  lenient: Kind<"unary">;
  operator: Kind<"unary">;
  anyService: Kind<"unary">;
  oneService: Kind<"unary">;
  count: Kind<"server_streaming">;
  watch: Kind<"server_streaming">;
  collect: Kind<"client_streaming">;
  chat: Kind<"bidi_streaming">;
}>;

/** Its deadlines are a second: for tests of what happens when one is over. */
export const EchoService = serviceDesc(file, 0) as EchoServiceDesc;

/** The deadline of the patient rpcs, in milliseconds; half as much again is what a call of Echo may wait. */
export const PATIENT_MS = 30_000;

/** The same with deadlines that no pause of a busy machine takes up: for tests of anything else. */
export const PatientEchoService = serviceDesc(
  createEchoFile("ferry/test/v1/patient_echo.proto", rpcsWith(PATIENT_MS)),
  0,
) as EchoServiceDesc;
