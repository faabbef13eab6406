import { posix } from "node:path";
import { importsOf, isTest, type Source, type Violation } from "./source.ts";

/** Where a file or an imported module stands in the house. */
type Room = string;

/** The room of a file: "ledger/domain", "platform/rpc", "edge", "gen". */
export function roomOf(path: string): Room {
  const [first = "", second = "", third = ""] = path.split("/");
  if (first === "services") return third.endsWith(".ts") || third === "" ? `${second}/root` : `${second}/${third}`;
  if (first === "platform") return `platform/${second}`;
  return first;
}

/** What a module specifier leads to: a room of ours, "node", or "npm:<package>". */
export function targetOf(from: string, specifier: string): Room {
  if (specifier.startsWith("node:")) return "node";
  if (specifier.startsWith(".")) return roomOf(posix.normalize(posix.join(posix.dirname(from), specifier)));
  const ours = /^@ferry\/([^/]+)(?:\/(.*))?$/.exec(specifier);
  if (ours === null)
    return `npm:${specifier
      .split("/")
      .slice(0, specifier.startsWith("@") ? 2 : 1)
      .join("/")}`;
  const [, name = "", rest = ""] = ours;
  if (name === "gen" || name === "edge" || name === "local") return name;
  if (name === "platform") return `platform/${rest}`;
  return `${name}/root`;
}

const SERVICE_ROOMS = ["app", "audit", "rpc", "consumers", "store", "clients", "sagas", "domain", "root"];
const isServiceRoom = (room: Room) => room.includes("/") && !/^(platform\/|npm:)/.test(room);

/** The import table of the design, section 2: whether code in one room may import from another. */
export function mayImport(room: Room, target: Room): boolean {
  if (room === target) return true;
  const [owner = "", part = ""] = room.split("/");
  if (room === "gen") return target === "npm:@bufbuild/protobuf";
  if (owner === "platform")
    return target === "gen" || target.startsWith("platform/") || target.startsWith("npm:") || target === "node";
  if (room === "client") return false; // It stands alone, with nothing to install beside it.
  if (room === "edge") return !isServiceRoom(target) && !["local", "test", "bench"].includes(target);
  if (room === "local")
    return (
      target.startsWith("npm:") || target.startsWith("platform/") || target === "node" || target === "package.json"
    );
  if (["test", "bench", "scripts"].includes(room)) return true;
  if (!SERVICE_ROOMS.includes(part)) return false;
  if (isServiceRoom(target) && !target.startsWith(`${owner}/`)) return false;
  if (["test", "bench", "local", "edge"].includes(target)) return false;
  if (part === "domain") return target === "platform/errors";
  const inner = target === `${owner}/domain` || target === "gen";
  const framed = ["errors", "saga", "outbox", "inbox", "db"].map((name) => `platform/${name}`);
  const messages = ["npm:@bufbuild/protobuf", "platform/codec"];
  if (part === "app" || part === "sagas")
    return (
      inner ||
      target === `${owner}/app` ||
      target === `${owner}/sagas` ||
      framed.includes(target) ||
      messages.includes(target)
    );
  if (part === "root") return true;
  return (
    inner ||
    target === `${owner}/app` ||
    target.startsWith("platform/") ||
    target.startsWith("npm:") ||
    target === "node"
  );
}

/** Packages that only one room may import, so that they can be changed in one place. */
const SOLE_IMPORTERS: Record<string, RegExp> = {
  "@grpc/grpc-js": /^platform\/rpc\//,
  kafkajs: /^platform\/events\//,
  fastify: /^(edge|local\/bank)\//,
  jsonwebtoken: /^platform\/auth\//,
  pg: /^platform\/db\//,
  "prom-client": /^platform\/telemetry\//,
};

/** Violations of the import table and of the sole importers. Tests stand outside the table: they may open any door. */
export function checkImports(source: Source): Violation[] {
  if (isTest(source.path)) return [];
  const room = roomOf(source.path);
  return importsOf(source).flatMap(({ specifier, line, typeOnly }) => {
    const target = targetOf(source.path, specifier);
    const found: Violation[] = [];
    if (!mayImport(room, target))
      found.push({ path: source.path, line, message: `${room} may not import ${specifier} (design, section 2)` });
    const sole = target.startsWith("npm:") ? SOLE_IMPORTERS[target.slice(4)] : undefined;
    if (sole !== undefined && !sole.test(source.path) && !typeOnly)
      found.push({ path: source.path, line, message: `${specifier} is imported only in ${sole.source}` });
    return found;
  });
}
