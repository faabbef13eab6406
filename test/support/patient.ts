import { type DescService, getOption, setExtension } from "@bufbuild/protobuf";
import { method as methodOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";

const PATIENCE_MS = 60_000;

/** For connections of tests, and turns at those of a pool: no pause of a busy machine is as long, nor a queue of their callers. */
export const PATIENT = { connectTimeoutMs: 15_000 };

/**
 * Gives the calls of services longer than their contracts do, in this process, for tests of what is answered rather than
 * of how soon: a machine that stands still for a second or two is no refusal. Servers keep to the contract whatever a
 * caller asks for, so it is the contract that is changed; before the first server and the first call.
 */
export function bePatient(...services: readonly DescService[]): void {
  for (const method of services.flatMap(({ methods }) => methods)) {
    const policy = getOption(method, methodOption);
    if (policy.deadlineMs > 0)
      setExtension(method.proto.options!, methodOption, { ...policy, deadlineMs: PATIENCE_MS });
  }
}
