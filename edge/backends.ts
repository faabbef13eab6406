import type { DescMethodServerStreaming, DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { AuditService } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { HomeService } from "@ferry/gen/ferry/home/v1/home_pb.ts";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { WebhookService } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { PaymentService } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { TransferBatchService } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { TransferService } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { InDoubtTransactionService } from "@ferry/gen/ferry/two_phase/v1/two_phase_pb.ts";
import { type CallSignal, toFerryError } from "@ferry/platform/rpc";

/** The backend of services that no process answers: the edge composes their answers, as their contracts say. */
export const COMPOSED = "composition";

export interface ExposedService {
  service: DescService;
  /** Who answers it: of several, the request says which. */
  backend: string | readonly string[];
}

/** The services that the edge exposes. Which of a service's rpcs have a route is said by the contract alone. */
export const exposedServices: readonly ExposedService[] = [
  { service: MemberService, backend: "member" },
  { service: ApiClientService, backend: "member" },
  { service: AuditLogService, backend: "member" },
  { service: LedgerService, backend: "ledger" },
  { service: TransferService, backend: "transfer" },
  { service: TransferBatchService, backend: "transfer" },
  { service: PaymentService, backend: "payment" },
  { service: WebhookService, backend: "notify" },
  // Every owner of sagas offers its own; those of transfers where the request names none.
  { service: ParkedSagaService, backend: ["transfer", "payment"] },
  { service: InDoubtTransactionService, backend: "ledger" },
  { service: AuditService, backend: ["ledger", "banking", "transfer", "payment"] },
  { service: HomeService, backend: COMPOSED },
];

export interface BackendCall {
  headers: Record<string, string>;
  timeoutMs: number;
  signal?: CallSignal | undefined;
}

/** What the edge needs of a service behind it. */
export interface Backend {
  name: string;
  /** Rejects with FerryError only. */
  unary(rpc: DescMethodUnary, request: Message, call: BackendCall): Promise<Message>;
  /** Rejects with FerryError only, while it is read. Who leaves it early ends the call by its signal. */
  stream(rpc: DescMethodServerStreaming, request: Message, call: BackendCall): AsyncIterable<Message>;
  /** Why calls would fail now; undefined when they can be sent. */
  unready(): string | undefined;
  /** Whether it would refuse one more call for want of room. Not there where that depends on the request. */
  isFull?(): boolean;
}

const messageOf = ({ message }: { message: Message }): Message => message;
const rethrow = (error: unknown): never => {
  throw toFerryError(error);
};

/**
 * A backend behind a Connect transport: a channel of the platform, or a router in memory. Both ask no more of a signal
 * than a call needs (`CallSignal`).
 */
export function transportBackend(
  name: string,
  transport: Pick<Transport, "unary" | "stream">,
  { unready, isFull = () => false }: Pick<Backend, "unready" | "isFull"> = { unready: () => undefined },
): Backend {
  return {
    name,
    unready,
    isFull,
    unary(rpc, request, { headers, timeoutMs, signal }) {
      return transport.unary(rpc, signal as AbortSignal, timeoutMs, headers, request).then(messageOf, rethrow);
    },
    async *stream(rpc, request, { headers, timeoutMs, signal }) {
      try {
        const requests = (async function* () {
          yield request;
        })();
        yield* (await transport.stream(rpc, signal as AbortSignal, timeoutMs, headers, requests)).message;
      } catch (error) {
        throw toFerryError(error);
      }
    },
  };
}
