// Made by `npm run generate` from the contracts; do not edit.
import type { Call, PagedCall } from "../calls.ts";
import type { Failure } from "./types-v1.ts";

export interface GetSagaRequest {
  sagaId: string;
  /**
   * Whose sagas, at the edge: "transfer" or "payment". Empty: transfer. The service itself pays no heed to it.
   */
  service?: string;
}

export interface GetSagaResponse {
  saga: SagaDetail;
}

export interface ListParkedSagasRequest {
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
  /**
   * Whose sagas, at the edge: "transfer" or "payment". Empty: transfer. The service itself pays no heed to it.
   */
  service?: string;
}

export interface ListParkedSagasResponse {
  sagas: ParkedSaga[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ParkedSaga {
  /** UUID; of a transfer's saga the transfer's id. */
  id: string;
  /** As "send-money". */
  definition: string;
  version: number;
  /** "running", "undoing", "parked", "completed", "undone". */
  state: string;
  /** The step at which it stopped. */
  step: string;
  /** Attempts made at that step. */
  attempts: number;
  /** Why it stopped. */
  reason?: Failure;
  /** What the saga knows, as JSON text. */
  data: string;
  createTime?: string;
  parkTime?: string;
  /** The saga that waits for this one's end. Empty when none does. */
  parentId: string;
}

export interface ParkedSagaCalls {
  /**
   * Lists parked sagas, longest parked first. Errors: PAGE_TOKEN_INVALID.
   *
   * `GET /v1/parked-sagas`
   */
  listParkedSagas: PagedCall<ListParkedSagasRequest, ListParkedSagasResponse, ListParkedSagasResponse["sagas"][number]>;
  /**
   * Shows one saga, parked or not, with everything needed to decide about it: its steps and what became of them,
   * what it waits for, what it knows, the sagas that it has begun, and what operators have decided so far. Deleted
   * 30 days after its end, the audit log stays. Errors: NOT_FOUND.
   *
   * `GET /v1/sagas/{saga_id}`
   */
  getSaga: Call<GetSagaRequest, GetSagaResponse>;
  /**
   * Tries the step at which the saga stopped once more, with its time anew. Errors: NOT_FOUND, SAGA_NOT_PARKED,
   * SAGA_VERSION_UNKNOWN.
   *
   * `POST /v1/parked-sagas/{saga_id}:resume`
   */
  resumeSaga: Call<ResumeSagaRequest, ResumeSagaResponse>;
  /**
   * Undoes what was done and ends the saga as failed. Stopped at its pivot, the pivot is voided first: its
   * receiver makes sure that it never happens. When it has happened the saga goes on instead, and while nobody
   * knows, nothing is undone: it parks again, and who undoes it then, when nothing can happen any more, gives the
   * word that nothing has. Errors: NOT_FOUND, SAGA_NOT_PARKED, SAGA_VERSION_UNKNOWN, STEP_OUTCOME_UNKNOWN where a
   * pivot cannot be voided, INVALID_REQUEST past the pivot.
   *
   * `POST /v1/parked-sagas/{saga_id}:undo`
   */
  undoSaga: Call<UndoSagaRequest, UndoSagaResponse>;
  /**
   * Goes on as if the step at which the saga stopped were done. The operator has made sure that it is. Errors:
   * NOT_FOUND, SAGA_NOT_PARKED, SAGA_VERSION_UNKNOWN, INVALID_REQUEST before the pivot, where a step is resumed or
   * undone instead, unless it stopped because nobody but an operator can find out whether it is done.
   *
   * `POST /v1/parked-sagas/{saga_id}:skip`
   */
  skipSagaStep: Call<SkipSagaStepRequest, SkipSagaStepResponse>;
}

export interface ResumeSagaRequest {
  sagaId: string;
  /** Why, for the audit log. */
  reason: string;
  /**
   * Whose sagas, at the edge: "transfer" or "payment". Empty: transfer. The service itself pays no heed to it.
   */
  service?: string;
}

export interface ResumeSagaResponse {
  saga: ParkedSaga;
}

/** What an operator decided about a saga. */
export interface SagaAudit {
  time?: string;
  operatorId: string;
  /** "resume", "undo", "skip". */
  action: string;
  /** In the operator's words. */
  reason: string;
  /** The saga before, as JSON text. */
  before: string;
  /** The saga after, as JSON text. */
  after: string;
}

/** A saga with everything needed to decide about it. */
export interface SagaDetail {
  /** UUID; of a transfer's saga the transfer's id. */
  id: string;
  /** As "send-money". */
  definition: string;
  version: number;
  /** Whether this server knows that version. If not it is parked, and goes on where it is known. */
  versionKnown: boolean;
  /** Rises by one with each change. */
  revision: number;
  /** "running", "undoing", "parked", "completed", "undone". */
  state: string;
  /** Why it failed or is parked: the first cause. Absent while it goes forward. */
  failure?: Failure;
  /** The table of its steps, in order. */
  steps: SagaStep[];
  /** What it waits for: one entry for each step at hand. None at its end. */
  waits: SagaWait[];
  /** What the saga knows, as JSON text. */
  data: string;
  /** What an operator may do now: of "resume", "undo", "skip". None when it is not parked. */
  actions: string[];
  /** The saga that began it. Empty when none did. */
  parentId: string;
  /** The step at which that one waits for its end. */
  parentStep: string;
  /** What operators have decided, latest first, 100 at most. */
  audit: SagaAudit[];
  createTime?: string;
}

/** One step of a saga: what its table says, and what became of it. */
export interface SagaStep {
  /** As "place-hold". */
  name: string;
  /** "pending", "running", "done", "failed", "unknown", "undoing", "undone", "skipped", "not-needed". */
  state: string;
  /** How often the step itself was asked; its undo and inquiries do not count. */
  attempts: number;
  startTime?: string;
  endTime?: string;
  /** "before-pivot", "pivot", "after-pivot": what may be undone. Empty where the version is not known. */
  phase: string;
  /** Whether what it did can be taken back. */
  hasUndo: boolean;
  /** The saga that it has begun. Empty when it begins none. */
  childId: string;
  /** That saga's state, as "parked": while it is, this one waits. */
  childState: string;
}

/** Something that a saga waits for. */
export interface SagaWait {
  /** Name of the step. */
  step: string;
  /** "reply", "pause", "operator". */
  for: string;
  /** "ask", "undo", "inquire", "void": what is answered, sent after the pause, or was stopped at. */
  role: string;
  /** Commands sent for this step, or for its undo. */
  attempts: number;
  /** When the reply is overdue, or the pause over. Absent for an operator. */
  dueTime?: string;
  /** Since when it waits for an operator. */
  sinceTime?: string;
  /** Why it waits for an operator. */
  reason?: Failure;
}

export interface SkipSagaStepRequest {
  sagaId: string;
  /** Why, for the audit log. */
  reason: string;
  /**
   * Whose sagas, at the edge: "transfer" or "payment". Empty: transfer. The service itself pays no heed to it.
   */
  service?: string;
}

export interface SkipSagaStepResponse {
  saga: ParkedSaga;
}

export interface UndoSagaRequest {
  sagaId: string;
  /** Why, for the audit log. */
  reason: string;
  /**
   * Whose sagas, at the edge: "transfer" or "payment". Empty: transfer. The service itself pays no heed to it.
   */
  service?: string;
}

export interface UndoSagaResponse {
  saga: ParkedSaga;
}
