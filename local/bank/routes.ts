import type { FastifyInstance, FastifyReply } from "fastify";
import { isSilentWhenAsked } from "./behavior.ts";
import type { BankRecord, Books, Order } from "./books.ts";
import {
  asObject,
  BadInput,
  readAccountNumber,
  readAmount,
  readMemberId,
  readMemo,
  readNumber,
  readReference,
} from "./input.ts";

export interface Timeouts {
  /** How long an answer that comes late takes. */
  lateMs: number;
  /** How long a connection that gets no answer is kept, when its caller does not leave before. */
  silentMs: number;
}

const MAX_PAGE = 10_000;
const JSON_TYPE = "application/json; charset=utf-8";
const NDJSON_TYPE = "application/x-ndjson";

/** Takes the reply away from the caller: nothing is ever written, and in the end the connection is cut. */
export function keepSilent(reply: FastifyReply, { silentMs }: Timeouts): void {
  reply.hijack();
  const { socket } = reply.raw;
  const limit = setTimeout(() => socket?.destroy(), silentMs);
  socket?.once("close", () => clearTimeout(limit));
}

/** Turns bad input into 400 and whatever else goes wrong into 503, without a word about the inside. */
export function answerErrors(server: FastifyInstance): void {
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof BadInput) {
      return reply.code(400).send({ error: "bad-input", field: error.field, message: error.message });
    }
    const code = error.statusCode ?? 503;
    if (code < 500) return reply.code(code).send({ error: "bad-input", field: "body", message: error.message });
    return reply.code(503).send({ error: "unavailable", message: "the bank cannot answer now; try again" });
  });
  server.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ error: "no-such-route", message: "see local/bank/README.md for the bank's routes" });
  });
}

const present = ({ reference, kind, accountNumber, currency, minorUnits, status, reason, time }: BankRecord) => ({
  reference,
  kind,
  accountNumber,
  amount: { currency, minorUnits },
  status,
  reason,
  time,
});

function unavailable(reply: FastifyReply) {
  return reply.code(503).send({ error: "unavailable", message: "the bank cannot answer now; try again" });
}

/** Carries out an order, and answers in the way that the account's digits say. */
async function answerOrder(books: Books, order: Order, reply: FastifyReply, timeouts: Timeouts) {
  const outcome = await books.order(order, new Date());
  if (outcome.kind === "conflict") {
    const message = `reference ${order.reference} was used for another order`;
    return reply.code(409).send({ error: "reference-taken", field: "reference", message });
  }
  if (outcome.kind === "nothing") {
    if (outcome.answers === "error") return unavailable(reply);
    keepSilent(reply, timeouts);
    return reply;
  }
  const body = JSON.stringify(present(outcome.record));
  reply.header("content-type", JSON_TYPE);
  if (outcome.answers === "broken") return reply.send(body.slice(0, body.length >> 1));
  if (outcome.answers === "late") await pauseWhileOpen(reply, timeouts.lateMs);
  return reply.send(body);
}

/** Waits, but not for a caller who has left. */
export function pauseWhileOpen(reply: FastifyReply, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = reply.raw;
    const over = () => {
      clearTimeout(timer);
      socket?.off("close", over);
      resolve();
    };
    const timer = setTimeout(over, delayMs);
    socket?.once("close", over);
  });
}

/** The bank's own API, under /v1. */
export function addBankRoutes(server: FastifyInstance, books: Books, timeouts: Timeouts): void {
  server.post("/v1/account-verifications", async (request, reply) => {
    const body = asObject(request.body, "body");
    const accountNumber = readAccountNumber(body, "accountNumber");
    const step = await books.verify(readReference(body), accountNumber);
    if (step === "error") return unavailable(reply);
    return step === "ok" ? { status: step, holderName: `Holder of ${accountNumber}` } : { status: step };
  });

  server.post("/v1/payments", (request, reply) => {
    const body = asObject(request.body, "body");
    const order: Order = {
      kind: "payment",
      reference: readReference(body),
      accountNumber: readAccountNumber(body, "creditorAccountNumber"),
      ...readAmount(body),
      memo: readMemo(body),
    };
    return answerOrder(books, order, reply, timeouts);
  });

  server.post("/v1/debits", (request, reply) => {
    const body = asObject(request.body, "body");
    const order: Order = {
      kind: "debit",
      reference: readReference(body),
      accountNumber: readAccountNumber(body, "debtorAccountNumber"),
      memberId: readMemberId(body),
      ...readAmount(body),
    };
    return answerOrder(books, order, reply, timeouts);
  });

  server.get("/v1/payments/:reference", async (request, reply) => {
    const reference = readReference(asObject(request.params, "reference"));
    const found = await books.find(reference);
    if (found.kind === "record") return present(found.record);
    if (found.kind === "pending" && isSilentWhenAsked(found.accountNumber)) {
      keepSilent(reply, timeouts);
      return reply;
    }
    return reply.code(404).send({ reference, status: "not-found" });
  });

  server.post("/v1/mandates", async (request) => {
    const body = asObject(request.body, "body");
    const mandate = { memberId: readMemberId(body), accountNumber: readAccountNumber(body, "accountNumber") };
    await books.addMandate(mandate.memberId, mandate.accountNumber);
    return mandate;
  });
}

/** The books, for whoever checks them: every order whose end is known, in order. */
export function addRecordRoutes(server: FastifyInstance, books: Books): void {
  server.get("/v1/records", async (request, reply) => {
    const query = asObject(request.query, "query");
    const after = readNumber(query, "after", { min: -1, max: Number.MAX_SAFE_INTEGER, fallback: -1 });
    const limit = readNumber(query, "limit", { min: 1, max: MAX_PAGE, fallback: 1_000 });
    const { records, more } = await books.list(after, limit);
    if (request.headers.accept !== NDJSON_TYPE) return { records, next: more ? (records.at(-1)?.seq ?? null) : null };
    reply.header("content-type", NDJSON_TYPE);
    return reply.send(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  });

  server.get("/v1/records/summary", async () => {
    const totals = [...books.totals()].map(([key, { count, minorUnits }]) => {
      const [kind, status, currency] = key.split("/");
      return { kind, status, currency, count, minorUnits: String(minorUnits) };
    });
    return { count: totals.reduce((sum, { count }) => sum + count, 0), totals };
  });
}
