// Makes the generated part of the TypeScript client, client/gen/, from the contracts.
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescService,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { commentsText } from "../comments.ts";
import { answeredField, offeredRpcs, pathFields, planOf, replayedField, serviceName, serviceText } from "./services.ts";
import { type CommentOf, enumText, messageText, type NameOf, type Side } from "./types.ts";

const MADE = "// Made by `npm run generate` from the contracts; do not edit.\n";
const RUNTIME_TYPES = [
  ...["Call", "CallOptions", "Int64Input", "JsonValue", "PagedCall", "RawAnswer", "StreamCall", "TimeInput"],
  ...["WithKey", "WithRawBody", "WithWait"],
];

/** One generated file: the types of one package. */
interface Module {
  /** "ledger-v1". */
  name: string;
  /** Of what was declared, by its name here. */
  texts: Map<string, string>;
  /** Names from other modules, by module. */
  imports: Map<string, Set<string>>;
}

/**
 * The files of client/gen/, by name.
 * @param image A FileDescriptorSet with source info, as `buf build` makes it.
 */
export function clientFiles(image: Uint8Array): Map<string, string> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const comments: Record<string, string> = JSON.parse(commentsText(image));
  const commentOf: CommentOf = (name) => comments[name];
  const services = [...registry]
    .filter((desc): desc is DescService => desc.kind === "service" && offeredRpcs(desc).length > 0)
    .sort((a, b) => (a.typeName < b.typeName ? -1 : 1));
  const modules = createModules(services, commentOf);
  for (const service of services) modules.addService(service);
  const files = new Map<string, string>();
  for (const module of modules.all()) files.set(`${module.name}.ts`, moduleText(module));
  files.set("client.ts", clientText(services, modules.all()));
  const reasons = registry.getEnum("ferry.errors.v1.Reason");
  if (reasons !== undefined) files.set("errors.ts", errorsText(reasons, commentOf));
  return files;
}

const nameIn = (desc: DescMessage | DescEnum | DescService) =>
  desc.typeName.slice(desc.file.proto.package.length + 1).replaceAll(".", "_");

/** "ferry.two_phase.v1" is "two-phase-v1". */
const moduleName = (desc: { file: { proto: { package: string } } }) =>
  desc.file.proto.package.replace(/^ferry\./, "").replace(/[._]/g, "-");

function createModules(services: readonly DescService[], commentOf: CommentOf) {
  const modules = new Map<string, Module>();
  const rpcs = services.flatMap(offeredRpcs);
  const requests = new Set(rpcs.map(({ input }) => input.typeName));
  const leaveOut = new Set(rpcs.flatMap((rpc) => replayedField(rpc) ?? []));
  const inPath = new Set<DescField>(rpcs.flatMap(pathFields));
  const always = new Set<DescField>(rpcs.flatMap((rpc) => answeredField(rpc) ?? []));

  const moduleOf = (desc: DescMessage | DescEnum | DescService): Module => {
    const name = moduleName(desc);
    const module = modules.get(name) ?? { name, texts: new Map(), imports: new Map() };
    modules.set(name, module);
    return module;
  };
  /** A message that is only ever asked with needs no name that says so. */
  const nameOn = (desc: DescMessage | DescEnum, side: Side) =>
    nameIn(desc) + (side === "input" && desc.kind === "message" && !requests.has(desc.typeName) ? "Input" : "");

  const namesFrom =
    (from: Module): NameOf =>
    (desc, side) => {
      const name = nameOn(desc, side);
      const module = moduleOf(desc);
      if (!module.texts.has(name)) declare(module, desc, side, name);
      if (module !== from) from.imports.set(module.name, (from.imports.get(module.name) ?? new Set()).add(name));
      return name;
    };
  const declare = (module: Module, desc: DescMessage | DescEnum, side: Side, name: string): void => {
    module.texts.set(name, ""); // A type may contain itself.
    const parts = { nameOf: namesFrom(module), commentOf, leaveOut, inPath, always };
    const text = desc.kind === "enum" ? enumText(desc, name, commentOf) : messageText(desc, side, name, parts);
    module.texts.set(name, text);
  };
  return {
    all: () => [...modules.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    addService(service: DescService): void {
      const module = moduleOf(service);
      const text = serviceText(service, namesFrom(module), commentOf);
      module.texts.set(nameIn(service), text);
    },
  };
}

function moduleText({ texts, imports }: Module): string {
  const body = [...texts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join("\n");
  const used = RUNTIME_TYPES.filter((name) => new RegExp(`\\b${name}\\b(?!["':])`).test(body));
  const others = [...imports].sort().map(([module, names]) => importText([...names].sort(), `./${module}.ts`));
  return `${MADE}${importText(used, "../calls.ts")}${others.join("")}\n${body}`;
}

function importText(names: readonly string[], from: string): string {
  return names.length === 0 ? "" : `import type { ${names.join(", ")} } from "${from}";\n`;
}

function clientText(services: readonly DescService[], modules: readonly Module[]): string {
  const callsOf = (service: DescService) => `${nameIn(service).replace(/Service$/, "")}Calls`;
  const imports = services.map((service) => importText([callsOf(service)], `./${moduleName(service)}.ts`)).join("");
  const namespaces = modules.map(({ name }) => {
    const words = name.replace(/-v1$/, "").split("-");
    const namespace = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
    return `export type * as ${namespace} from "./${name}.ts";\n`;
  });
  const members = services.map((service) => `  ${serviceName(service)}: ${callsOf(service)};\n`).join("");
  const plans = services.map((service) => {
    const rpcs = offeredRpcs(service).map((rpc) => `    ${rpc.localName}: ${JSON.stringify(planOf(rpc))},\n`);
    return `  ${serviceName(service)}: {\n${rpcs.join("")}  },\n`;
  });
  return [
    `${MADE}import type { ServicePlans } from "../calls.ts";\n${imports}\n`,
    `/** The types of each domain. */\n${namespaces.join("")}\n`,
    `/** The API: by service, then by rpc. */\nexport interface FerryClient {\n${members}}\n\n`,
    `export const servicePlans: ServicePlans = {\n${plans.join("")}};\n`,
  ].join("");
}

function errorsText(reasons: DescEnum, commentOf: CommentOf): string {
  const values = reasons.values.filter(({ number }) => number !== 0);
  const lines = values.map((value) => {
    const comment = commentOf(`${reasons.typeName}.${value.name}`);
    const doc = comment === undefined ? "" : `  /** ${comment.replaceAll("*/", "*\\/").replace(/\s+/g, " ")} */\n`;
    return `${doc}  | ${JSON.stringify(value.name.replace(/^REASON_/, ""))}`;
  });
  return `${MADE}/** What the API can refuse with. */\nexport type ErrorCode =\n${lines.join("\n")};\n`;
}
