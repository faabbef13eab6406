import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { MemberReinstatedSchema, MemberSuspendedSchema } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { AuditFact, Caller } from "../domain/audit.ts";
import { decideState, type Member, type MemberState } from "../domain/member.ts";

interface MemberStore {
  lock(tx: Transaction, id: string): Promise<Member | undefined>;
  saveState(tx: Transaction, member: Member): Promise<void>;
}

export interface ChangeState {
  memberId: string;
  /** The operator. */
  by: Caller;
  reason: string;
  wanted: MemberState;
}

export interface ChangeStateDeps {
  database: Database;
  store: MemberStore;
  outbox: Pick<Outbox, "add">;
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
  /** Tells the other replicas, when the transaction commits. */
  notifyChanged(tx: Transaction, memberId: string): Promise<void>;
  /** Resolves when whoever watches this replica has been told. */
  pushChanged(memberId: string): Promise<void>;
}

function eventOf(member: Member, { by, reason }: ChangeState, time: Date): OutgoingMessage {
  const schema = member.state === "suspended" ? MemberSuspendedSchema : MemberReinstatedSchema;
  const fields = {
    memberId: member.id,
    operatorId: by.memberId,
    reason,
    time: timestampFromDate(time),
    version: member.version,
  };
  return { schema, message: create(schema, fields) };
}

/** Suspends a member or lifts the suspension: state, audit entry and event in one transaction. @throws FerryError NOT_FOUND. */
export function createChangeState({ database, store, outbox, audit, notifyChanged, pushChanged }: ChangeStateDeps) {
  return async (command: ChangeState): Promise<Member> => {
    const decision = await database.transaction(async (tx) => {
      const before = await store.lock(tx, command.memberId);
      if (before === undefined) throw new FerryError("NOT_FOUND", "member_id: there is no such member");
      const decided = decideState(before, command.wanted);
      if (decided.kind === "unchanged") return decided;
      const { memberId, by, reason } = command;
      const kind = decided.member.state === "suspended" ? "MEMBER_SUSPENDED" : "MEMBER_REINSTATED";
      await store.saveState(tx, decided.member);
      await audit.record(tx, { kind, memberId, by, reason });
      await outbox.add(tx, [eventOf(decided.member, command, new Date())]);
      await notifyChanged(tx, command.memberId);
      return decided;
    });
    await pushChanged(command.memberId);
    return decision.member;
  };
}
