import { fromBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

/** Numbers of fields in descriptor.proto, of which the paths in source info are made. */
const FILE = { package: 2, messages: 4, enums: 5, services: 6 };
const MESSAGE = { fields: 2, messages: 3, enums: 4, oneofs: 8 };
const VALUES_OF_ENUM = 2;
const METHODS_OF_SERVICE = 2;

/** Only the project's own: what others say of their contracts is in their documentation. */
const OURS = "ferry/";

/**
 * The comments of the contracts as JSON: by full name ("ferry.types.v1.Money.currency"; of an enum's value with
 * the enum's name before it; of a file by its path), one a line, in the order of names, so that a change of the contract is a line here.
 *
 * @param image A FileDescriptorSet with source info, as `buf build` makes it.
 */
export function commentsText(image: Uint8Array): string {
  const comments = new Map<string, string>();
  for (const file of fromBinary(FileDescriptorSetSchema, image).file)
    if (file.name.startsWith(OURS)) for (const [name, text] of commentsOf(file)) comments.set(name, text);
  const lines = [...comments]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `  ${JSON.stringify(name)}: ${JSON.stringify(text)}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

function* commentsOf(file: FileDescriptorProto): Generator<[name: string, text: string]> {
  const names = namesOf(file);
  for (const { path, leadingComments, trailingComments } of file.sourceCodeInfo?.location ?? []) {
    const name = names.get(path.join());
    const text = tidy(leadingComments || trailingComments);
    if (name !== undefined && text !== "") yield [name, text];
  }
}

/** Lines of a paragraph become one: where they break is a matter of the file's width. */
function tidy(comment: string): string {
  const paragraphs = comment.split(/\n[ \t]*\n/).map((text) => text.replace(/\s+/g, " ").trim());
  return paragraphs.filter((text) => text !== "").join("\n\n");
}

/** The full name of everything in a file that a comment can stand at, by its path in source info. */
function namesOf(file: FileDescriptorProto): Map<string, string> {
  const names = new Map([[String(FILE.package), file.name]]);
  const addEnum = ({ name, value }: EnumDescriptorProto, path: readonly number[], scope: string) => {
    names.set(path.join(), `${scope}.${name}`);
    for (const [index, { name: valueName }] of value.entries())
      names.set([...path, VALUES_OF_ENUM, index].join(), `${scope}.${name}.${valueName}`);
  };
  const addMessage = (message: DescriptorProto, path: readonly number[], scope: string) => {
    const name = `${scope}.${message.name}`;
    names.set(path.join(), name);
    for (const [index, field] of message.field.entries())
      names.set([...path, MESSAGE.fields, index].join(), `${name}.${field.name}`);
    for (const [index, oneof] of message.oneofDecl.entries())
      names.set([...path, MESSAGE.oneofs, index].join(), `${name}.${oneof.name}`);
    for (const [index, inner] of message.nestedType.entries())
      addMessage(inner, [...path, MESSAGE.messages, index], name);
    for (const [index, inner] of message.enumType.entries()) addEnum(inner, [...path, MESSAGE.enums, index], name);
  };
  for (const [index, message] of file.messageType.entries()) addMessage(message, [FILE.messages, index], file.package);
  for (const [index, desc] of file.enumType.entries()) addEnum(desc, [FILE.enums, index], file.package);
  for (const [index, service] of file.service.entries()) {
    const path = [FILE.services, index];
    names.set(path.join(), `${file.package}.${service.name}`);
    for (const [at, method] of service.method.entries())
      names.set([...path, METHODS_OF_SERVICE, at].join(), `${file.package}.${service.name}.${method.name}`);
  }
  return names;
}
