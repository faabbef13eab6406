import {
  createFileRegistry,
  createRegistry,
  type DescFile,
  type DescService,
  fromJson,
  type JsonObject,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_ferry_home_v1_home } from "@ferry/gen/ferry/home/v1/home_pb.ts";
import { file_ferry_options_v1_options } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { file_google_api_annotations } from "@ferry/gen/google/api/annotations_pb.ts";

interface HomeJson {
  messageType: { name: string; field: { name: string; options: { "[ferry.options.v1.part]": JsonObject } }[] }[];
  service: { method: { options: { "[ferry.options.v1.method]": JsonObject } }[] }[];
}

const registry = createRegistry(file_ferry_options_v1_options, file_google_api_annotations);

/** @param part Gives the option of a field of the answer. */
export type HomeChange = (home: HomeJson, part: (name: string) => JsonObject) => void;

/** Home's service as another contract would have it. */
export function homeWith(change: HomeChange): DescService {
  const json = toJson(FileDescriptorProtoSchema, file_ferry_home_v1_home.proto, { registry }) as unknown as HomeJson;
  const answer = json.messageType.find(({ name }) => name === "GetHomeResponse")!;
  change(json, (name) => answer.field.find((field) => field.name === name)!.options["[ferry.options.v1.part]"]);
  const file = fromJson(FileDescriptorProtoSchema, json as unknown as JsonObject, { registry });
  const known = new Map<string, DescFile>();
  const add = (desc: DescFile): void => {
    known.set(desc.proto.name, desc);
    desc.dependencies.forEach(add);
  };
  add(file_ferry_home_v1_home);
  const made = createFileRegistry(file, (name) => known.get(name));
  return made.getService("ferry.home.v1.HomeService")!;
}
