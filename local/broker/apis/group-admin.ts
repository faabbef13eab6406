import { metadataOf } from "../group/member.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { Writer } from "../protocol/writer.ts";
import type { Answer, Api, BrokerRoom, Request } from "./room.ts";

/** Version 0. A group of which only offsets are left is Empty, one that was never heard of is Dead. */
export const describeGroups: Api = {
  key: 15,
  name: "DescribeGroups",
  minVersion: 0,
  maxVersion: 0,
  handle: handleDescribe,
};

export const listGroups: Api = {
  key: 16,
  name: "ListGroups",
  minVersion: 0,
  maxVersion: 0,
  handle: (_request, room) => {
    const writer = new Writer().int16(ErrorCode.NONE);
    return writer.array(room.coordinator.list(), ({ groupId, protocolType }) => {
      writer.string(groupId).string(protocolType);
    });
  },
};

/** Version 0. Only groups without members can be deleted; their offsets go with them. */
export const deleteGroups: Api = {
  key: 42,
  name: "DeleteGroups",
  minVersion: 0,
  maxVersion: 0,
  handle: ({ body }, room) => {
    const groupIds = body.array(() => body.string());
    const writer = new Writer().int32(0);
    return writer.array(groupIds, (groupId) => writer.string(groupId).int16(room.coordinator.delete(groupId)));
  },
};

function handleDescribe({ body }: Request, room: BrokerRoom): Answer {
  const groupIds = body.array(() => body.string());
  const writer = new Writer();
  return writer.array(groupIds, (groupId) => {
    const group = room.coordinator.findGroup(groupId);
    const withoutMembers = room.offsets.has(groupId) ? "Empty" : "Dead";
    const type = group?.protocolType ?? (room.offsets.has(groupId) ? "consumer" : "");
    writer.int16(ErrorCode.NONE).string(groupId);
    writer.string(group?.state ?? withoutMembers).string(type);
    writer.string(group?.state === "Stable" ? group.protocol : "");
    writer.array([...(group?.members.values() ?? [])], (member) => {
      writer.string(member.id).string(member.clientId).string(member.clientHost);
      writer.bytes(metadataOf(member, group?.protocol ?? "")).bytes(member.assignment);
    });
  });
}
