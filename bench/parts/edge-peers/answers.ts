import assert from "node:assert/strict";
import { CREATE_BODY, MISSING_ID, TOLD_CREATED, toldOf } from "./transfers.ts";

const PATH = "/v1/transfers";

interface Question {
  path: string;
  body?: object;
  token: string | undefined;
  status: number;
  /** The transfer that must be told. */
  told?: object;
}

/**
 * Asks an edge what it must answer rightly before it is measured: a transfer as the contract has it, one that is made
 * of a body, nothing where there is none, and nothing to whoever brings no good token.
 *
 * @throws AssertionError with what differs.
 */
export async function demandRightAnswers(port: number, token: string): Promise<void> {
  const forged = `${token.slice(0, -4)}AAAA`;
  const questions: Question[] = [
    { path: `${PATH}/tr_1`, token, status: 200, told: toldOf("tr_1") },
    { path: PATH, body: CREATE_BODY, token, status: 200, told: TOLD_CREATED },
    { path: `${PATH}/${MISSING_ID}`, token, status: 404 },
    { path: `${PATH}/tr_1`, token: undefined, status: 401 },
    { path: `${PATH}/tr_1`, token: forged, status: 401 },
    { path: PATH, body: CREATE_BODY, token: forged, status: 401 },
  ];
  for (const { path, body, token: bearer, status, told } of questions) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.equal(answer.status, status, `${path}: ${text}`);
    if (told === undefined) continue;
    const said = JSON.parse(text) as { data?: object };
    assert.deepEqual(withPlainTimes(said.data ?? said), withPlainTimes(told));
  }
}

/** ProtoJSON leaves the fraction of a whole second to the writer. */
function withPlainTimes(transfer: object): object {
  return Object.fromEntries(
    Object.entries(transfer).map(([name, value]) => [name, name.endsWith("At") ? Date.parse(value as string) : value]),
  );
}
