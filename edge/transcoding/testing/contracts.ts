import {
  createFileRegistry,
  createRegistry,
  type DescFile,
  type DescMessage,
  type DescService,
  fromJson,
  type JsonObject,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { file_google_api_annotations } from "@ferry/gen/google/api/annotations_pb.ts";
import { file_google_api_httpbody } from "@ferry/gen/google/api/httpbody_pb.ts";

const IMPORTS: readonly DescFile[] = [
  file_google_api_annotations,
  file_google_api_httpbody,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** A field as "type name", "repeated type name", with what descriptor.proto has beyond that. */
type FieldText = string | [text: string, more: JsonObject];

function fieldOf(given: FieldText, index: number): JsonObject {
  const [text, more] = typeof given === "string" ? [given, {}] : given;
  const words = text.split(" ");
  const [type = "", name = ""] = words.slice(-2);
  const label = words[0] === "repeated" ? "LABEL_REPEATED" : "LABEL_OPTIONAL";
  const jsonName = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const kind: JsonObject = type.startsWith(".")
    ? { type: type.endsWith("Color") || type.endsWith("NullValue") ? "TYPE_ENUM" : "TYPE_MESSAGE", typeName: type }
    : { type: `TYPE_${type.toUpperCase()}` };
  return { name, jsonName, number: index + 1, label, ...kind, ...more };
}

function messageOf(name: string, fields: readonly FieldText[], more: JsonObject = {}): JsonObject {
  return { name, field: fields.map(fieldOf), ...more };
}

/** The entry type of a map, as compilers write it. */
function entryOf(name: string, key: string, value: string): JsonObject {
  return messageOf(name, [`${key} key`, `${value} value`], { options: { mapEntry: true } });
}

const SCALARS = [
  ...["string", "bool", "bytes", "int32", "sint32", "sfixed32", "uint32", "fixed32", "int64", "sint64"],
  ...["sfixed64", "uint64", "fixed64", "float", "double"],
];
const KNOWN = ["Timestamp", "Duration", "FieldMask", "Int64Value", "UInt32Value", "StringValue", "BoolValue"];
const FREE = ["Struct", "Value", "ListValue"];
const MORE = ["Any", "Empty", "DoubleValue", "FloatValue", "UInt64Value", "Int32Value", "BytesValue"];
const REPEATED = ["Timestamp", "Duration", "FieldMask", "BytesValue", "Struct", "Value", "ListValue", "Any"];
const CHOICES = ["Struct", "Value", "ListValue", "Any", "Timestamp", "BoolValue"];

const EVERYTHING = messageOf(
  "Everything",
  [
    ...SCALARS.map((type) => `${type} a_${type}`),
    ".test.Color color",
    ".test.Inner inner",
    "repeated int32 numbers",
    "repeated int64 big_numbers",
    "repeated .test.Color colors",
    "repeated .test.Inner inners",
    "repeated .test.Everything.CountsEntry counts",
    "repeated .test.Everything.ByIdEntry by_id",
    "repeated .test.Everything.FlagsEntry flags",
    ["string text", { oneofIndex: 0 }],
    [".test.Inner picked", { oneofIndex: 0 }],
    [".google.protobuf.Int64Value picked_number", { oneofIndex: 0 }],
    ...KNOWN.map((type) => `.google.protobuf.${type} w_${type.toLowerCase()}`),
    ...FREE.map((type) => `.google.protobuf.${type} w_${type.toLowerCase()}`),
    "repeated .google.protobuf.StringValue names",
    ["string maybe", { proto3Optional: true, oneofIndex: 1 }],
    ...MORE.map((type) => `.google.protobuf.${type} w_${type.toLowerCase()}`),
    ...REPEATED.map((type) => `repeated .google.protobuf.${type} l_${type.toLowerCase()}`),
    ...CHOICES.map((type): FieldText => [`.google.protobuf.${type} c_${type.toLowerCase()}`, { oneofIndex: 0 }]),
    ".google.protobuf.NullValue nothing_at_all",
    ["int64 long_text", { options: { jstype: "JS_STRING" } }],
    ["repeated uint64 long_texts", { options: { jstype: "JS_STRING" } }],
    "repeated double reals",
    "repeated bytes chunks",
    "repeated bool yes_or_no",
    ["int32 maybe_number", { proto3Optional: true, oneofIndex: 2 }],
    [".test.Color maybe_color", { proto3Optional: true, oneofIndex: 3 }],
    ["bytes maybe_bytes", { proto3Optional: true, oneofIndex: 4 }],
    "repeated .test.Everything.TimesEntry times",
    "repeated .test.Everything.AnysEntry anys",
    "repeated .test.Everything.ColorByLongEntry color_by_long",
    "repeated .test.Everything.FreeByUlongEntry free_by_ulong",
  ],
  {
    oneofDecl: ["choice", "_maybe", "_maybe_number", "_maybe_color", "_maybe_bytes"].map((name) => ({ name })),
    nestedType: [
      entryOf("TimesEntry", "string", ".google.protobuf.Timestamp"),
      entryOf("AnysEntry", "string", ".google.protobuf.Any"),
      entryOf("ColorByLongEntry", "int64", ".test.Color"),
      entryOf("FreeByUlongEntry", "uint64", ".google.protobuf.Struct"),
      entryOf("CountsEntry", "string", "int64"),
      entryOf("ByIdEntry", "int32", ".test.Inner"),
      entryOf("FlagsEntry", "bool", "string"),
    ],
  },
);

/** Bodies of any kind, as the whole of a message and as one of its fields. */
const FILES = [
  messageOf("Upload", ["string id", ".google.api.HttpBody file", "string note"]),
  messageOf("Download", ["string name", ".google.api.HttpBody file"]),
];

/** One rpc of a contract: its rule by the JSON form of google.api.HttpRule. */
export interface RpcText {
  name: string;
  rule?: JsonObject;
  clientStreaming?: boolean;
  serverStreaming?: boolean;
  /** Full names with a leading dot. Default ".test.Everything". */
  input?: string;
  output?: string;
  /** Other options, by the JSON form of MethodOptions. */
  options?: JsonObject;
}

/**
 * A contract of the package "test" with types that have every kind of field.
 * @param extensions Files of the options that the rpcs have beside their rule.
 */
export function contractOf(rpcs: readonly RpcText[] = [], extensions: readonly DescFile[] = []) {
  const imports = [...IMPORTS, ...extensions];
  const method = rpcs.map(({ name, rule, input, output, options = {}, clientStreaming, serverStreaming }) => ({
    ...{ name, inputType: input ?? ".test.Everything", outputType: output ?? ".test.Everything" },
    ...{ clientStreaming: clientStreaming ?? false, serverStreaming: serverStreaming ?? false },
    options: { ...options, ...(rule === undefined ? {} : { "[google.api.http]": rule }) },
  }));
  const json = {
    name: "test/everything.proto",
    package: "test",
    syntax: "proto3",
    dependency: imports.map(({ proto }) => proto.name),
    enumType: [
      {
        name: "Color",
        value: ["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"].map((name, number) => ({ name, number })),
      },
    ],
    messageType: [
      messageOf("Inner", ["string id", "int64 count", ".test.Inner child", ".test.Color color"]),
      EVERYTHING,
      ...FILES,
    ],
    service: [{ name: "TestService", method }],
  };
  const known = createRegistry(file_google_api_annotations, ...extensions);
  const file = fromJson(FileDescriptorProtoSchema, json, { registry: known });
  const registry = createFileRegistry(file, (name) => imports.find(({ proto }) => proto.name === name));
  const service: DescService = registry.getService("test.TestService")!;
  const everything: DescMessage = registry.getMessage("test.Everything")!;
  return { service, everything, registry };
}
