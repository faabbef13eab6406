import type { DescMethod, Message } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";
import type { Backend } from "./backends.ts";

/**
 * One backend of several that offer the same rpc: each call goes to the one that a field of its request names, and
 * to the first where the field is empty.
 *
 * @param serviceField As the contract's option says; empty where one service offers the rpc.
 * @throws Error when the contract does not say how to choose.
 */
export function chooseBackend(
  rpc: DescMethod,
  serviceField: string,
  backends: readonly (Backend | undefined)[],
): Backend {
  const known = backends.filter((backend) => backend !== undefined);
  const [first] = known;
  if (first === undefined || known.length < backends.length) throw new Error("there is no backend for it");
  if (serviceField === "") {
    if (known.length > 1) throw new Error("several services offer it, and it has no service_field");
    return first;
  }
  const field = rpc.input.fields.find(({ name }) => name === serviceField);
  if (field?.fieldKind !== "scalar")
    throw new Error(`its service_field ${serviceField} is no text field of its request`);
  const byName = new Map(known.map((backend) => [backend.name, backend]));
  const byService = (request: Message): Backend => {
    const name = (request as Message & Record<string, unknown>)[field.localName];
    const chosen = name === "" ? first : typeof name === "string" ? byName.get(name) : undefined;
    if (chosen === undefined) throw new FerryError("NOT_FOUND", `${field.jsonName}: no service of this name offers it`);
    return chosen;
  };
  return {
    name: known.map(({ name }) => name).join(","),
    unready: () => undefined,
    unary: async (method, request, call) => byService(request).unary(method, request, call),
    stream: (method, request, call) => byService(request).stream(method, request, call),
  };
}
