import { Writer } from "../protocol/writer.ts";
import type { Answer, Api, BrokerRoom, Request } from "./room.ts";

/** Version 1. Answers when the rebalance has gathered every member. */
export const joinGroup: Api = { key: 11, name: "JoinGroup", minVersion: 1, maxVersion: 1, handle: handleJoin };

export const heartbeat: Api = {
  key: 12,
  name: "Heartbeat",
  minVersion: 0,
  maxVersion: 0,
  handle: ({ body, peer }, room) => {
    const groupId = body.string();
    const generation = body.int32();
    return new Writer().int16(room.coordinator.heartbeat(groupId, body.string(), generation, peer));
  },
};

export const leaveGroup: Api = {
  key: 13,
  name: "LeaveGroup",
  minVersion: 0,
  maxVersion: 0,
  handle: ({ body }, room) => {
    const groupId = body.string();
    return new Writer().int16(room.coordinator.leave(groupId, body.string()));
  },
};

export const syncGroup: Api = { key: 14, name: "SyncGroup", minVersion: 0, maxVersion: 0, handle: handleSync };

async function handleJoin({ body, peer, clientId }: Request, room: BrokerRoom): Promise<Answer> {
  const groupId = body.string();
  const answer = await room.coordinator.join(groupId, {
    connection: peer,
    clientId,
    clientHost: `/${peer.address}`,
    sessionTimeoutMs: body.int32(),
    rebalanceTimeoutMs: body.int32(),
    memberId: body.string(),
    protocolType: body.string(),
    // Copied, for a member outlives the request that these bytes are a part of.
    protocols: body.array(() => ({ name: body.string(), metadata: Buffer.from(body.bytes()) })),
  });
  const writer = new Writer().int16(answer.error).int32(answer.generation).string(answer.protocol);
  return writer
    .string(answer.leaderId)
    .string(answer.memberId)
    .array(answer.members, ({ id, metadata }) => writer.string(id).bytes(metadata));
}

async function handleSync({ body, peer }: Request, room: BrokerRoom): Promise<Answer> {
  const groupId = body.string();
  const generation = body.int32();
  const memberId = body.string();
  const assignments = body.array(() => ({ memberId: body.string(), assignment: body.bytes() }));
  const answer = await room.coordinator.sync(groupId, memberId, generation, assignments, peer);
  return new Writer().int16(answer.error).bytes(answer.assignment);
}
