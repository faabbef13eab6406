import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import { findCoordinator, initProducerId, metadata } from "./cluster.ts";
import { fetch } from "./fetch.ts";
import { deleteGroups, describeGroups, listGroups } from "./group-admin.ts";
import { listOffsets } from "./list-offsets.ts";
import { heartbeat, joinGroup, leaveGroup, syncGroup } from "./membership.ts";
import { offsetCommit, offsetFetch } from "./offsets.ts";
import { produce } from "./produce.ts";
import type { Api } from "./room.ts";
import { createPartitions, createTopics, deleteTopics, describeConfigs } from "./topic-admin.ts";

/** Version 0. What a client offers to speak beyond it is answered with UNSUPPORTED_VERSION in version 0's form. */
const apiVersions: Api = {
  key: 18,
  name: "ApiVersions",
  minVersion: 0,
  maxVersion: 0,
  handle: () => writeVersions(ErrorCode.NONE, APIS),
};

/** Every request this broker answers. None has a flexible version, so all share one form of header. */
export const APIS: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  apiVersions,
  createTopics,
  deleteTopics,
  initProducerId,
  describeConfigs,
  createPartitions,
  deleteGroups,
];

const byKey = new Map(APIS.map((api) => [api.key, api]));

/** The handler for a request, or undefined for what cannot be answered in a form that its sender understands. */
export function findApi(key: number, version: number): Api["handle"] | undefined {
  const api = byKey.get(key);
  if (api === apiVersions && version !== 0) return () => writeVersions(ErrorCode.UNSUPPORTED_VERSION, [apiVersions]);
  return api !== undefined && version >= api.minVersion && version <= api.maxVersion ? api.handle : undefined;
}

function writeVersions(error: ErrorCode, apis: readonly Api[]): Writer {
  const writer = new Writer().int16(error);
  return writer.array(apis, ({ key, minVersion, maxVersion }) => {
    writer.int16(key).int16(minVersion).int16(maxVersion);
  });
}
