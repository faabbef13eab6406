import type { ErrorCode } from "../protocol/error-codes.ts";

/** One way of sharing partitions that a member can follow, with what it tells the group's leader. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** Stands for the connection that a request came on; only its identity matters. */
export type ConnectionToken = object;

export interface JoinRequest {
  readonly connection: ConnectionToken;
  readonly clientId: string;
  readonly clientHost: string;
  /** Empty: a new member, which is given an id. */
  readonly memberId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** In the order of the member's preference. */
  readonly protocols: readonly GroupProtocol[];
}

export interface JoinAnswer {
  readonly error: ErrorCode;
  readonly generation: number;
  readonly protocol: string;
  readonly leaderId: string;
  readonly memberId: string;
  /** For the leader alone, which shares out the partitions; empty for everyone else. */
  readonly members: readonly { readonly id: string; readonly metadata: Buffer }[];
}

export interface SyncAnswer {
  readonly error: ErrorCode;
  readonly assignment: Buffer;
}

/** A member of a group, and the answers that it waits for. */
export interface Member {
  readonly id: string;
  readonly clientId: string;
  readonly clientHost: string;
  /** The connection of its last request about the group: when that one closes, the member is taken for dead. */
  connection: ConnectionToken;
  protocols: readonly GroupProtocol[];
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  assignment: Buffer;
  session: NodeJS.Timeout | undefined;
  grace: NodeJS.Timeout | undefined;
  answerJoin: ((answer: JoinAnswer) => void) | undefined;
  answerSync: ((answer: SyncAnswer) => void) | undefined;
}

export const NO_BYTES = Buffer.alloc(0);

export function metadataOf(member: Member, protocol: string): Buffer {
  return member.protocols.find((candidate) => candidate.name === protocol)?.metadata ?? NO_BYTES;
}

export function sameProtocols(left: readonly GroupProtocol[], right: readonly GroupProtocol[]): boolean {
  if (left.length !== right.length) return false;
  return left.every(
    (protocol, at) => protocol.name === right[at]!.name && protocol.metadata.equals(right[at]!.metadata),
  );
}

/**
 * The protocol that most members like best, among those that all of them can follow.
 *
 * @returns undefined when they have none in common.
 */
export function chooseProtocol(members: readonly (readonly GroupProtocol[])[]): string | undefined {
  const votes = new Map<string, number>();
  const common = (members[0] ?? []).filter(({ name }) =>
    members.every((protocols) => protocols.some((protocol) => protocol.name === name)),
  );
  for (const protocols of members) {
    const favourite = protocols.find(({ name }) => common.some((protocol) => protocol.name === name));
    if (favourite !== undefined) votes.set(favourite.name, (votes.get(favourite.name) ?? 0) + 1);
  }
  return (
    [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), ["", 0] as [string, number])[0] || undefined
  );
}
