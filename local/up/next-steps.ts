import type { Demo } from "./first-transfer.ts";

/** Lines to paste into a shell: what to do next with a platform that is up. */
export function nextSteps(edgeUrl: string, transferAddress: string, demo: Demo): string[] {
  const json = "-H 'content-type: application/json'";
  const body = `{"sourceAccountId":"${demo.accountId}","destination":{"bankAccount":{"bankCode":"081","accountNumber":"2200004321"}},"amount":{"currency":"EUR","minorUnits":"150"}}`;
  return [
    "Next, in another terminal:",
    `  TOKEN=$(curl -s ${edgeUrl}/v1/sessions ${json} -d '{"email":"${demo.email}","password":"${demo.password}"}' | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')`,
    `  curl -s ${edgeUrl}/v1/accounts -H "authorization: Bearer $TOKEN"`,
    `  curl -s ${edgeUrl}/v1/transfers -H "authorization: Bearer $TOKEN" ${json} -H "idempotency-key: $(date +%s%N)" -H 'prefer: wait=5' -d '${body}'`,
    `  # every route, to read and to try in a browser: ${edgeUrl}/docs; for tools: ${edgeUrl}/openapi.json`,
    `  grpcurl -plaintext ${transferAddress} list`,
    `  grpcurl -plaintext ${transferAddress} describe ferry.transfer.v1.TransferService`,
    `  grpcurl -plaintext -H "authorization: Bearer $TOKEN" -d '{"page_size":3}' ${transferAddress} ferry.transfer.v1.TransferService/ListTransfers`,
    "Ctrl-C stops everything in order; the data stays.",
  ];
}
