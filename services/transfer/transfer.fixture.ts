import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import * as banking from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import * as ledger from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { TransferBatchService } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import {
  CreateTransferRequestSchema,
  TransferService,
  type TransferState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger, newTraceparent } from "@ferry/platform/telemetry";
import { as, createTestAuthenticator } from "../../test/support/credentials.ts";
import { createDirectory, type Exchanges, type ScriptOf, startNeighbors } from "../../test/support/neighbors.ts";
import { bePatient, PATIENT } from "../../test/support/patient.ts";
import { until } from "../../test/support/until.ts";
import { createTransferService, migrations } from "./service.ts";

bePatient(TransferService, TransferBatchService, ParkedSagaService);

export { as, asOperator } from "../../test/support/credentials.ts";
export type { Said } from "../../test/support/neighbors.ts";
export { until } from "../../test/support/until.ts";

/** For tests: what a database needs to become transfer's. */
export const transferTemplate = {
  name: "transfer",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations]),
};

const build = { service: "transfer", version: "0", commit: "none", buildTime: "none" };

export type Part = "verify" | "hold" | "release" | "settle" | "send" | "inquire" | "void";
/** What each command is answered: see neighbors.ts. */
export type Script = ScriptOf<Part>;

const PARTS: Exchanges<Part> = {
  verify: [banking.VerifyAccountRequestSchema, banking.VerifyAccountResponseSchema],
  send: [banking.SendPaymentRequestSchema, banking.SendPaymentResponseSchema],
  inquire: [banking.InquirePaymentRequestSchema, banking.InquirePaymentResponseSchema],
  void: [banking.VoidPaymentRequestSchema, banking.VoidPaymentResponseSchema],
  hold: [ledger.PlaceHoldRequestSchema, ledger.PlaceHoldResponseSchema],
  release: [ledger.ReleaseHoldRequestSchema, ledger.ReleaseHoldResponseSchema],
  settle: [ledger.SettleHoldRequestSchema, ledger.SettleHoldResponseSchema],
};

const SCOPES = ["transfers:read", "transfers:write"];

/** The fields of a request, without its type name. */
type TransferInit = Omit<MessageInitShape<typeof CreateTransferRequestSchema>, "$typeName" | "$unknown">;

/** For tests: transfer on a database, behind its real server, with a bus in memory and scripted neighbors. */
export async function startTransfers({
  url,
  parkAfterMs = 60_000,
  batchLinesUnderWay,
}: {
  url: string;
  parkAfterMs?: number;
  batchLinesUnderWay?: number;
}) {
  const database = openDatabase({ url, ...PATIENT });
  const bus = createMemoryBus();
  const outbox = createOutbox({ database, bus, source: "ferry/transfer", logger });
  const directory = createDirectory();
  const others = await startNeighbors(bus, PARTS);
  const { members, ledger: accounts } = directory;
  const service = createTransferService({
    database,
    bus,
    outbox,
    logger,
    config: { parkAfterMs, batchLinesUnderWay },
    members,
    ledger: accounts,
  });
  const authenticator = createTestAuthenticator(SCOPES, directory.suspended);
  const server = createRpcServer({
    ...{ service: "transfer", port: 0, routes: service.routes, authenticator, logger, build },
  });
  const parts = [outbox, server, ...service.components];
  for (const part of parts) await part.start?.();
  const channel = openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "transfer", logger, ...PATIENT });
  const client = createRpcClient(TransferService, channel);

  return {
    ...{ database, bus, client, others, directory },
    batches: createRpcClient(TransferBatchService, channel),
    operators: createRpcClient(ParkedSagaService, channel),
    /** Asks for a transfer of 12.50 to a bank, with a key and a wait of its own unless they are given. */
    create(
      memberId: string,
      request: TransferInit,
      { key = newUuid(), waitSeconds = 10, traceparent = newTraceparent() } = {},
    ) {
      const bankAccount = { bankCode: "081", accountNumber: "20000001" };
      const whole = create(CreateTransferRequestSchema, {
        destination: { kind: { case: "bankAccount", value: bankAccount } },
        amount: { currency: "EUR", minorUnits: 1_250n },
        ...request,
      });
      const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {};
      return client.createTransfer(whole, as(memberId, { "idempotency-key": key, traceparent, ...prefer }));
    },
    /** Waits until a transfer is in a state. */
    reached: (memberId: string, transferId: string, state: TransferState) =>
      until(`state ${state} of ${transferId}`, async () => {
        const { transfer } = await client.getTransfer({ transferId }, as(memberId));
        return transfer?.state === state ? transfer : undefined;
      }),
    /** The events of a transfer, decoded by their own type. */
    eventsOf: <S extends DescMessage>(id: string, schema: S) =>
      bus
        .records("ferry.transfer.events.v1")
        .filter(({ key }) => key === id)
        .map(({ headers, value }) => {
          assert.equal(headers.ce_type, schema.typeName);
          return { headers, event: fromBinary(schema, value!) };
        }),
    async stop() {
      channel.close();
      for (const part of parts.toReversed()) await part.stop?.();
      await bus.close();
      await database.close();
    },
  };
}
