import { randomUUID } from "node:crypto";
import { ErrorCode } from "../protocol/error-codes.ts";
import {
  type ConnectionToken,
  chooseProtocol,
  type JoinAnswer,
  type JoinRequest,
  type Member,
  metadataOf,
  NO_BYTES,
  type SyncAnswer,
  sameProtocols,
} from "./member.ts";

/** The names are those that DescribeGroups shows. */
export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

export interface GroupLimits {
  readonly maxMembers: number;
  /** How long a member whose connection closed has to show itself on another. */
  readonly disconnectGraceMs: number;
}

/**
 * The classic protocol of Kafka's consumer groups, for one group.
 *
 * A rebalance gathers a JoinGroup from every member (PreparingRebalance), names a leader and a generation, waits for
 * the leader's SyncGroup (CompletingRebalance), and hands out what the leader decided (Stable). Members learn of a
 * rebalance by the answer to their heartbeat.
 */
export class Group {
  readonly id: string;
  readonly members = new Map<string, Member>();
  state: GroupState = "Empty";
  generation = 0;
  protocolType = "";
  protocol = "";
  leaderId = "";
  readonly #limits: GroupLimits;
  /** Runs from the start of a rebalance until all have joined, and again until all have their assignment. */
  #rebalanceTimer: NodeJS.Timeout | undefined;

  constructor(id: string, limits: GroupLimits) {
    this.id = id;
    this.#limits = limits;
  }

  /** Answers when the rebalance that the request starts, or takes part in, has gathered every member. */
  join(request: JoinRequest): Promise<JoinAnswer> {
    const known = this.members.get(request.memberId);
    const error = this.#checkJoin(request, known);
    if (error !== ErrorCode.NONE) return Promise.resolve(refuseJoin(error, request.memberId));
    if (known !== undefined && this.#isRepeatedJoin(request, known)) {
      this.touch(known, request.connection);
      return Promise.resolve(this.#joinAnswerFor(known));
    }
    const member = known ?? this.#admit(request);
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    this.protocolType = request.protocolType;
    this.touch(member, request.connection);
    member.answerJoin?.(refuseJoin(ErrorCode.REBALANCE_IN_PROGRESS, member.id)); // the same member asks anew
    return new Promise((resolve) => {
      member.answerJoin = resolve;
      this.#prepareRebalance();
      this.#completeJoinWhenAllAreHere();
    });
  }

  /** @param assignments who gets what; only the leader's count. */
  sync(
    memberId: string,
    generation: number,
    assignments: readonly { memberId: string; assignment: Buffer }[],
    connection: ConnectionToken,
  ): Promise<SyncAnswer> {
    const error = this.check(memberId, generation, connection);
    const refused = error === ErrorCode.NONE && this.state === "PreparingRebalance";
    if (error !== ErrorCode.NONE || refused) {
      return Promise.resolve({ error: refused ? ErrorCode.REBALANCE_IN_PROGRESS : error, assignment: NO_BYTES });
    }
    const member = this.members.get(memberId)!;
    if (this.state === "Stable") return Promise.resolve({ error: ErrorCode.NONE, assignment: member.assignment });
    member.answerSync?.({ error: ErrorCode.REBALANCE_IN_PROGRESS, assignment: NO_BYTES });
    return new Promise((resolve) => {
      member.answerSync = resolve;
      if (memberId === this.leaderId) this.#assign(assignments);
    });
  }

  heartbeat(memberId: string, generation: number, connection: ConnectionToken): ErrorCode {
    const error = this.check(memberId, generation, connection);
    if (error !== ErrorCode.NONE) return error;
    return this.state === "PreparingRebalance" ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
  }

  /** NONE when the member belongs to this generation; that it asks shows that it lives. */
  check(memberId: string, generation: number, connection: ConnectionToken): ErrorCode {
    const member = this.members.get(memberId);
    if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    this.touch(member, connection);
    return generation === this.generation ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION;
  }

  leave(memberId: string): ErrorCode {
    const member = this.members.get(memberId);
    if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    this.#remove([member]);
    return ErrorCode.NONE;
  }

  /** A killed process closes its connections at once, so its members need not be waited for until their time-out. */
  connectionClosed(connection: ConnectionToken): void {
    for (const member of this.members.values()) {
      if (member.connection !== connection) continue;
      member.grace ??= setTimeout(() => this.#remove([member]), this.#limits.disconnectGraceMs);
    }
  }

  touch(member: Member, connection: ConnectionToken): void {
    member.connection = connection;
    clearTimeout(member.grace);
    member.grace = undefined;
    this.#armSession(member);
  }

  close(): void {
    clearTimeout(this.#rebalanceTimer);
    for (const member of this.members.values()) {
      clearTimeout(member.session);
      clearTimeout(member.grace);
    }
  }

  #checkJoin(request: JoinRequest, known: Member | undefined): ErrorCode {
    if (request.memberId !== "" && known === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    if (known === undefined && this.members.size >= this.#limits.maxMembers) return ErrorCode.GROUP_MAX_SIZE_REACHED;
    const others = [...this.members.values()].filter((member) => member !== known);
    const otherType = others.length > 0 && request.protocolType !== this.protocolType;
    const common = chooseProtocol([request.protocols, ...others.map((member) => member.protocols)]);
    if (request.protocolType === "" || otherType || common === undefined) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
    return ErrorCode.NONE;
  }

  /** A member that lost the answer asks again and gets the same one; a leader of a stable group wants a rebalance. */
  #isRepeatedJoin(request: JoinRequest, known: Member): boolean {
    if (!sameProtocols(request.protocols, known.protocols)) return false;
    return this.state === "CompletingRebalance" || (this.state === "Stable" && known.id !== this.leaderId);
  }

  #admit(request: JoinRequest): Member {
    const member: Member = {
      ...request,
      id: `${request.clientId}-${randomUUID()}`,
      assignment: NO_BYTES,
      session: undefined,
      grace: undefined,
      answerJoin: undefined,
      answerSync: undefined,
    };
    this.members.set(member.id, member);
    return member;
  }

  #armSession(member: Member): void {
    clearTimeout(member.session);
    member.session = setTimeout(() => {
      // Who waits for an answer of ours cannot send a heartbeat; its connection tells whether it lives.
      if (member.answerJoin !== undefined) this.#armSession(member);
      else this.#remove([member]);
    }, member.sessionTimeoutMs);
  }

  #prepareRebalance(): void {
    if (this.state === "PreparingRebalance") return;
    this.state = "PreparingRebalance";
    for (const member of this.members.values()) {
      member.answerSync?.({ error: ErrorCode.REBALANCE_IN_PROGRESS, assignment: NO_BYTES });
      member.answerSync = undefined;
    }
    this.#startRebalanceTimer(() => {
      const missing = [...this.members.values()].filter((member) => member.answerJoin === undefined);
      this.#remove(missing);
      this.#completeJoinWhenAllAreHere();
    });
  }

  #completeJoinWhenAllAreHere(): void {
    const members = [...this.members.values()];
    if (this.state !== "PreparingRebalance" || members.length === 0) return;
    if (members.some((member) => member.answerJoin === undefined)) return;
    this.state = "CompletingRebalance";
    this.generation += 1;
    this.protocol = chooseProtocol(members.map((member) => member.protocols))!;
    if (!this.members.has(this.leaderId)) this.leaderId = members[0]!.id;
    this.#startRebalanceTimer(() => {
      this.#remove([...this.members.values()].filter((member) => member.answerSync === undefined));
    });
    for (const member of members) {
      member.assignment = NO_BYTES;
      this.#armSession(member);
      const answer = member.answerJoin!;
      member.answerJoin = undefined;
      answer(this.#joinAnswerFor(member));
    }
  }

  #assign(assignments: readonly { memberId: string; assignment: Buffer }[]): void {
    clearTimeout(this.#rebalanceTimer);
    this.state = "Stable";
    for (const { memberId, assignment } of assignments) {
      const member = this.members.get(memberId);
      if (member !== undefined) member.assignment = Buffer.from(assignment);
    }
    for (const member of this.members.values()) {
      member.answerSync?.({ error: ErrorCode.NONE, assignment: member.assignment });
      member.answerSync = undefined;
    }
  }

  #remove(members: readonly Member[]): void {
    for (const member of members) {
      clearTimeout(member.session);
      clearTimeout(member.grace);
      this.members.delete(member.id);
      member.answerJoin?.(refuseJoin(ErrorCode.UNKNOWN_MEMBER_ID, member.id));
      member.answerSync?.({ error: ErrorCode.UNKNOWN_MEMBER_ID, assignment: NO_BYTES });
    }
    if (members.length === 0) return;
    if (this.members.size === 0) {
      clearTimeout(this.#rebalanceTimer);
      this.state = "Empty";
      this.generation += 1;
      this.leaderId = "";
      return;
    }
    this.#prepareRebalance();
    this.#completeJoinWhenAllAreHere();
  }

  #joinAnswerFor(member: Member): JoinAnswer {
    const leads = member.id === this.leaderId;
    const members = leads
      ? [...this.members.values()].map((each) => ({ id: each.id, metadata: metadataOf(each, this.protocol) }))
      : [];
    const { generation, protocol, leaderId } = this;
    return { error: ErrorCode.NONE, generation, protocol, leaderId, memberId: member.id, members };
  }

  #startRebalanceTimer(onEnd: () => void): void {
    clearTimeout(this.#rebalanceTimer);
    const longestMs = Math.max(...[...this.members.values()].map((member) => member.rebalanceTimeoutMs));
    this.#rebalanceTimer = setTimeout(onEnd, longestMs);
  }
}

function refuseJoin(error: ErrorCode, memberId: string): JoinAnswer {
  return { error, generation: -1, protocol: "", leaderId: "", memberId, members: [] };
}
