// Made by `npm run generate` from the contracts; do not edit.
/** What the API can refuse with. */
export type ErrorCode =
  /** The request breaks a field rule; details name each field. */
  | "INVALID_REQUEST"
  /** There is no such route or rpc. */
  | "ROUTE_NOT_FOUND"
  /** The route exists, but not with this verb. */
  | "METHOD_NOT_ALLOWED"
  /** The body is larger than allowed. */
  | "BODY_TOO_LARGE"
  /** The body is not JSON by its content type. */
  | "MEDIA_TYPE_UNSUPPORTED"
  /** Too many requests from this member or address. */
  | "RATE_LIMITED"
  /** The server sheds load before its queues grow. */
  | "OVERLOADED"
  /** A service, or what it stands on, cannot be reached. */
  | "UNAVAILABLE"
  /** No answer within the deadline. */
  | "DEADLINE_EXCEEDED"
  /** The caller went away. */
  | "CANCELED"
  /** A defect of ours; the log has the cause under the request id. */
  | "INTERNAL"
  /** The rpc exists in the contract, but this server does not offer it. */
  | "UNIMPLEMENTED"
  /** The page token was not made by us, or belongs to another query. */
  | "PAGE_TOKEN_INVALID"
  /** Headers are larger than allowed. */
  | "HEADERS_TOO_LARGE"
  /** A message or its parts are larger than allowed. */
  | "RESOURCE_EXHAUSTED"
  /** The resource does not exist, or is not the caller's. */
  | "NOT_FOUND"
  /** A concurrent change got in the way. */
  | "CONFLICT"
  /** No credentials, or none that could be read. */
  | "UNAUTHENTICATED"
  /** The token is not valid: signature, issuer, audience, type or key. */
  | "TOKEN_INVALID"
  /** The token's time is over. */
  | "TOKEN_EXPIRED"
  /** The session was ended, or its refresh token was used twice. */
  | "SESSION_REVOKED"
  /** Email or password is wrong. */
  | "CREDENTIALS_INVALID"
  /** The caller is known, but this is not for them. */
  | "PERMISSION_DENIED"
  /** The token lacks a scope that the rpc asks for. */
  | "SCOPE_MISSING"
  /** The member is suspended. */
  | "MEMBER_SUSPENDED"
  /** Another member has this email. */
  | "EMAIL_TAKEN"
  /** The member has as many API clients as are allowed. */
  | "API_CLIENT_LIMIT"
  /** The request needs an Idempotency-Key: 1 to 255 printable ASCII characters. */
  | "IDEMPOTENCY_KEY_INVALID"
  /** The key was used before, with another request. */
  | "IDEMPOTENCY_KEY_REUSED"
  /** The first request with this key has not yet been recorded. */
  | "IDEMPOTENCY_IN_PROGRESS"
  /** The account's available balance is below the amount. */
  | "INSUFFICIENT_BALANCE"
  /** The account does not exist, or is not the payer's. */
  | "ACCOUNT_UNKNOWN"
  /** The account is closed. */
  | "ACCOUNT_CLOSED"
  /** The account has money or holds on it, and cannot close. */
  | "ACCOUNT_NOT_EMPTY"
  /** The amount's currency is not the account's. */
  | "CURRENCY_MISMATCH"
  /** The currency is not one that the platform knows. */
  | "CURRENCY_UNKNOWN"
  /** Source and destination are the same account. */
  | "SAME_ACCOUNT"
  /** The payee's account could not be verified at the bank. */
  | "ACCOUNT_NOT_VERIFIED"
  /** The hold was released before it was placed, or is over. */
  | "HOLD_RELEASED"
  /** There is no such hold. */
  | "HOLD_UNKNOWN"
  /** The balance would leave the range of an int64. */
  | "AMOUNT_OUT_OF_RANGE"
  /** The destination account does not exist. */
  | "DESTINATION_UNKNOWN"
  /** The same reference was used before, for something else. */
  | "REFERENCE_REUSED"
  /** The bank refused the payment. */
  | "BANK_REFUSED"
  /** The bank could not be asked. */
  | "BANK_UNAVAILABLE"
  /** What became of the payment at the bank is not known. */
  | "BANK_OUTCOME_UNKNOWN"
  /** The bank has no such account. */
  | "BANK_ACCOUNT_UNKNOWN"
  /** The account at the bank is closed. */
  | "BANK_ACCOUNT_CLOSED"
  /** The bank has no mandate of this member for the account. */
  | "MANDATE_MISSING"
  /** The platform has no connection to this bank. */
  | "BANK_UNKNOWN"
  /** The bank does not know the reference. */
  | "BANK_REFERENCE_UNKNOWN"
  /** The payment was voided: no bank was paid, and none will be. */
  | "PAYMENT_VOIDED"
  /** The transfer is past the point where it can be taken back. */
  | "TRANSFER_NOT_CANCELABLE"
  /** The payer took the transfer back. */
  | "CANCELED_BY_MEMBER"
  /** A command came after its expiry and was not carried out. */
  | "EXPIRED"
  /** A step got no answer in its time. */
  | "STEP_TIMED_OUT"
  /** The saga is not parked. */
  | "SAGA_NOT_PARKED"
  /** The saga began with a definition that this server does not know. */
  | "SAGA_VERSION_UNKNOWN"
  /** An operator ended it. */
  | "ENDED_BY_OPERATOR"
  /** The step may have been done, or may still be: nothing rules it out, so it cannot be undone. Resume. */
  | "STEP_OUTCOME_UNKNOWN"
  /** The account is frozen: it takes no new holds until it is unfrozen. */
  | "ACCOUNT_FROZEN"
  /** Another transaction has the account and is not decided yet. */
  | "ACCOUNT_BUSY"
  /** The transaction between databases was decided already, in the other way. */
  | "TRANSACTION_DECIDED"
  /** The transaction between databases is not prepared on all of them, so it cannot be committed. */
  | "TRANSACTION_NOT_PREPARED"
  /** The payment is past the point where it can be taken back. */
  | "PAYMENT_NOT_CANCELABLE"
  /** The refund is more than what is left of the payment. */
  | "REFUND_EXCEEDS_PAYMENT"
  /** The member has as many webhook endpoints as are allowed. */
  | "WEBHOOK_ENDPOINT_LIMIT"
  /** The webhook endpoint is disabled: enable it first. */
  | "WEBHOOK_ENDPOINT_DISABLED"
  /** The webhook was delivered: there is nothing to send again. */
  | "WEBHOOK_DELIVERED"
  /** As many deliveries wait for the webhook endpoint as are allowed. */
  | "WEBHOOK_BACKLOG"
  /** Lines of an all-or-nothing batch cannot be paid; details name them. */
  | "BATCH_REFUSED"
  /** The line is the same as an earlier one of its batch, and is not paid a second time. */
  | "BATCH_LINE_DUPLICATE"
  /** Another line of the all-or-nothing batch failed, and all were undone. */
  | "BATCH_FAILED"
  /** The batch is past the point where it can be taken back. */
  | "BATCH_NOT_CANCELABLE"
  /** The money had not been sent by the expire time, and what was done is undone. */
  | "TRANSFER_EXPIRED";
