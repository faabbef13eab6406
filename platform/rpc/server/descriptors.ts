import { createRegistry, type DescExtension, type DescFile, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Answers questions about the contracts that a server knows. */
export interface DescriptorIndex {
  findFile(name: string): DescFile | undefined;
  /** @param symbol Full name of a service, rpc, message, field, enum, enum value or extension. */
  findSymbol(symbol: string): DescFile | undefined;
  findExtension(typeName: string, number: number): DescFile | undefined;
  extensionNumbers(typeName: string): number[];
  /** A file and all that it imports, each before its own imports, as a serialized FileDescriptorProto, with its custom options. */
  closureOf(file: DescFile): Uint8Array[];
}

/** No name of a contract is as long. One that is all dots is looked up once for each: four million of them took seconds. */
const LONGEST_SYMBOL = 1_024;

export function indexDescriptors(roots: readonly DescFile[]): DescriptorIndex {
  const files = new Map<string, DescFile>();
  for (const root of roots)
    visit(root, (file) => !files.has(nameOf(file)) && files.set(nameOf(file), file) !== undefined);
  const registry = createRegistry(...files.values());
  const extensions = indexExtensions(files.values());
  const closures = new Map<DescFile, Uint8Array[]>();

  return {
    findFile: (name) => files.get(name),
    findSymbol(symbol) {
      if (symbol.length > LONGEST_SYMBOL) return undefined;
      // Members (rpcs, fields, enum values) are not in the registry: their parents are.
      for (let name = symbol; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
        const found = registry.get(name);
        if (found !== undefined) return found.file;
      }
      return undefined;
    },
    findExtension: (typeName, number) => extensions.get(typeName)?.get(number),
    extensionNumbers: (typeName) => [...(extensions.get(typeName)?.keys() ?? [])],
    closureOf(file) {
      const known = closures.get(file);
      if (known !== undefined) return known;
      const ordered = importsFirst(file, new Set()).reverse();
      const serialized = ordered.map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
      closures.set(file, serialized);
      return serialized;
    },
  };
}

/** A file after all that it imports. */
function importsFirst(file: DescFile, seen: Set<DescFile>): DescFile[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return [...file.dependencies.flatMap((dependency) => importsFirst(dependency, seen)), file];
}

/** Name of a file as in its contract: with the ending that descriptors leave out. */
export function nameOf(file: DescFile): string {
  return file.proto.name;
}

/** Goes through a file and its imports, into those only for which `enter` is true. */
function visit(file: DescFile, enter: (file: DescFile) => boolean): void {
  if (!enter(file)) return;
  for (const dependency of file.dependencies) visit(dependency, enter);
}

function indexExtensions(files: Iterable<DescFile>): Map<string, Map<number, DescFile>> {
  const index = new Map<string, Map<number, DescFile>>();
  for (const file of files) {
    for (const extension of [...file.extensions, ...file.messages.flatMap(nestedExtensions)]) {
      const typeName = extension.extendee.typeName;
      const numbers = index.get(typeName) ?? new Map<number, DescFile>();
      index.set(typeName, numbers.set(extension.number, file));
    }
  }
  return index;
}

function nestedExtensions(message: DescMessage): DescExtension[] {
  return [...message.nestedExtensions, ...message.nestedMessages.flatMap(nestedExtensions)];
}
