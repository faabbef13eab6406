import { ErrorCode } from "../protocol/error-codes.ts";
import { Group, type GroupLimits } from "./group.ts";
import type { ConnectionToken, JoinAnswer, JoinRequest, SyncAnswer } from "./member.ts";
import { NO_BYTES } from "./member.ts";
import type { CommittedOffset, OffsetStore } from "./offsets.ts";

export interface CoordinatorLimits extends GroupLimits {
  readonly maxGroups: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
}

/** Finds the group that a request is about, makes it at the first join, and forgets it when nothing is left of it. */
export class Coordinator {
  readonly #groups = new Map<string, Group>();
  readonly #offsets: OffsetStore;
  readonly #limits: CoordinatorLimits;

  constructor(offsets: OffsetStore, limits: CoordinatorLimits) {
    this.#offsets = offsets;
    this.#limits = limits;
  }

  join(groupId: string, request: JoinRequest): Promise<JoinAnswer> {
    const error = this.#checkJoin(groupId, request);
    if (error !== ErrorCode.NONE) {
      const { memberId } = request;
      return Promise.resolve({ error, generation: -1, protocol: "", leaderId: "", memberId, members: [] });
    }
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new Group(groupId, this.#limits);
      this.#groups.set(groupId, group);
    }
    return group.join(request);
  }

  sync(
    groupId: string,
    memberId: string,
    generation: number,
    assignments: readonly { memberId: string; assignment: Buffer }[],
    connection: ConnectionToken,
  ): Promise<SyncAnswer> {
    const group = this.#groups.get(groupId);
    if (group === undefined) return Promise.resolve({ error: ErrorCode.UNKNOWN_MEMBER_ID, assignment: NO_BYTES });
    return group.sync(memberId, generation, assignments, connection);
  }

  heartbeat(groupId: string, memberId: string, generation: number, connection: ConnectionToken): ErrorCode {
    return this.#groups.get(groupId)?.heartbeat(memberId, generation, connection) ?? ErrorCode.UNKNOWN_MEMBER_ID;
  }

  leave(groupId: string, memberId: string): ErrorCode {
    return this.#groups.get(groupId)?.leave(memberId) ?? ErrorCode.UNKNOWN_MEMBER_ID;
  }

  /**
   * Whether this member may commit now.
   *
   * @param generation negative: a client outside the group's protocol, which may commit while the group is empty.
   */
  checkCommit(groupId: string, memberId: string, generation: number, connection: ConnectionToken): ErrorCode {
    if (groupId === "") return ErrorCode.INVALID_GROUP_ID;
    const group = this.#groups.get(groupId);
    const empty = group === undefined || group.members.size === 0;
    if (generation < 0) return empty ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID;
    if (group === undefined) return ErrorCode.ILLEGAL_GENERATION;
    const error = group.check(memberId, generation, connection);
    if (error !== ErrorCode.NONE) return error;
    return group.state === "CompletingRebalance" ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
  }

  /** Stores commits that `checkCommit` let pass. */
  commit(groupId: string, commits: readonly CommittedOffset[]): ErrorCode {
    return this.#offsets.commit(groupId, commits) ? ErrorCode.NONE : ErrorCode.COORDINATOR_NOT_AVAILABLE;
  }

  findGroup(groupId: string): Group | undefined {
    return this.#groups.get(groupId);
  }

  /** Groups with members, and those of which only offsets are left. */
  list(): { groupId: string; protocolType: string }[] {
    this.#forgetEmptyGroups();
    const ids = new Set([...this.#groups.keys(), ...this.#offsets.groupIds()]);
    return [...ids].map((groupId) => ({
      groupId,
      protocolType: this.#groups.get(groupId)?.protocolType ?? "consumer",
    }));
  }

  delete(groupId: string): ErrorCode {
    const group = this.#groups.get(groupId);
    if (group !== undefined && group.members.size > 0) return ErrorCode.NON_EMPTY_GROUP;
    if (group === undefined && !this.#offsets.has(groupId)) return ErrorCode.GROUP_ID_NOT_FOUND;
    group?.close();
    this.#groups.delete(groupId);
    this.#offsets.deleteGroup(groupId);
    return ErrorCode.NONE;
  }

  connectionClosed(connection: ConnectionToken): void {
    for (const group of this.#groups.values()) group.connectionClosed(connection);
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }

  #checkJoin(groupId: string, request: JoinRequest): ErrorCode {
    if (groupId === "") return ErrorCode.INVALID_GROUP_ID;
    const { minSessionTimeoutMs, maxSessionTimeoutMs, maxGroups } = this.#limits;
    if (request.sessionTimeoutMs < minSessionTimeoutMs || request.sessionTimeoutMs > maxSessionTimeoutMs) {
      return ErrorCode.INVALID_SESSION_TIMEOUT;
    }
    if (this.#groups.has(groupId)) return ErrorCode.NONE;
    if (request.memberId !== "") return ErrorCode.UNKNOWN_MEMBER_ID;
    if (this.#groups.size >= maxGroups) this.#forgetEmptyGroups();
    return this.#groups.size >= maxGroups ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.NONE;
  }

  /** An empty group is no more than its committed offsets, and those are kept elsewhere. */
  #forgetEmptyGroups(): void {
    for (const [groupId, group] of this.#groups) {
      if (group.members.size > 0) continue;
      group.close();
      this.#groups.delete(groupId);
    }
  }
}
