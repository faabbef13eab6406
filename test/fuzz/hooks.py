"""What schemathesis cannot read from the document: whose token goes with an operation, and what is left alone."""

import json
import os
import uuid

import schemathesis

# Tokens by role. Some operations end sessions: when a token is no longer taken, the next one of its role is.
TOKENS = json.loads(os.environ["FERRY_FUZZ_TOKENS"])
# Members who must stay able to call, so that what follows is tried with good tokens.
PROTECTED = set(json.loads(os.environ["FERRY_FUZZ_MEMBERS"]))
# Accounts, transfers and payments that exist, by the names of parameters and fields.
KNOWN = json.loads(os.environ["FERRY_FUZZ_KNOWN"])
SEEN = {}
# Operations on sessions have members of their own.
SESSIONS = {"MemberService_ListSessions", "MemberService_DeleteSession", "MemberService_RevokeOtherSessions"}
# Reasons for INVALID_REQUEST beyond the field rules are known by what they concern.
BEYOND_RULES = json.loads(os.environ["FERRY_FUZZ_BEYOND_RULES"])


def definition(operation):
    return operation.definition.raw


def role_of(operation):
    if definition(operation).get("operationId") in SESSIONS:
        return "sessions"
    return "operator" if definition(operation).get("x-ferry-auth") == "operator" else "member"


@schemathesis.auth(refresh_interval=None)
class Token:
    """A good token wherever the operation asks for one."""

    def get(self, case, context):
        if definition(context.operation).get("security") == []:
            return None
        return TOKENS[role_of(context.operation)][0]

    def set(self, case, data, context):
        if data is not None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def liven(body):
    """What is made up names accounts that nobody has, in currencies that they are not in: half of it gets real ones."""
    for name, value in KNOWN["body"].items():
        if name in body:
            body[name] = {**body[name], **value} if name == "amount" and isinstance(body[name], dict) else value
    for late in ("executeTime", "expireTime"):
        body.pop(late, None)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody suspends those whose tokens are used; and every second request that is right concerns what exists."""
    path = case.path_parameters or {}
    label = case.operation.label
    SEEN[label] = SEEN.get(label, 0) + 1
    if is_positive(case) and SEEN[label] % 2 == 0:
        path.update({name: value for name, value in KNOWN["path"].items() if name in path})
        if isinstance(case.body, dict):
            liven(case.body)
    if path.get("member_id") in PROTECTED:
        path["member_id"] = str(uuid.uuid4())


@schemathesis.hook
def after_call(context, case, response):
    """A token that was good and is refused is replaced."""
    pool = TOKENS[role_of(case.operation)]
    sent = response.request.headers.get("Authorization")
    if response.status_code == 401 and sent == f"Bearer {pool[0]}" and len(pool) > 1:
        pool.pop(0)


@schemathesis.deserializer("application/x-ndjson")
def lines_of_json(ctx, response):
    """The document's schema is that of a line: the first speaks for all."""
    lines = [line for line in response.content.decode().split("\n") if line]
    return json.loads(lines[0]) if lines else {"data": {}}


@schemathesis.check
def field_rules_are_documented(ctx, response, case):
    """What the document allows is not refused by a field rule: all of them are in it."""
    if response.status_code != 400 or not is_positive(case):
        return
    error = json.loads(response.content)["error"]
    if error["code"] != "INVALID_REQUEST":
        return
    operation = definition(case.operation).get("operationId", "")
    known = BEYOND_RULES.get(operation, [])
    if not any(part in error["message"] for part in known):
        raise AssertionError(f"{operation}: allowed by the document, and refused: {error['message']}")
