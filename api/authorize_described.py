"""The OpenAPI description of what services ask: of the two routes that are no FastAPI routes."""

from __future__ import annotations

from typing import Any, Final

from api.guard.reading import BATCH_MAX

_EVENT: Final = "019ad0c4-6c00-7000-8f3a-0b5f0c1d2e3f"
_ACCOUNT: Final = "210987654321"
_TEXT: Final = {"type": "string"}


def _nullable(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


def _object(
    properties: dict[str, Any], required: tuple[str, ...] = (), description: str | None = None
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }
    return told if description is None else {**told, "description": description}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _one_or_many(name: str) -> dict[str, Any]:
    many = {"type": "array", "minItems": 1, "maxItems": BATCH_MAX, "items": _ref(name)}
    return {"application/json": {"schema": {"oneOf": [_ref(name), many]}}}


def _answered(name: str) -> dict[str, Any]:
    many = {"type": "array", "items": {"oneOf": [_ref(name), _ref("Problem")]}}
    schema = {"oneOf": [_ref(name), many]}
    return {
        "description": "One for each, in their order.",
        "content": {"application/json": {"schema": schema}},
    }


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _ref("Problem")}}}


_REFUSALS: Final = {
    "400": _problem("This is no JSON."),
    "413": _problem("The request is too large."),
    "415": _problem("The request is not application/json."),
    "422": _problem("A member is missing, unknown or not understood; `errors` names it."),
    "503": _problem("Nothing could be written down, so nothing was decided. Ask again."),
}

SCHEMAS: Final[dict[str, Any]] = {
    "Credential": {
        "description": "Whoever proves a credential may ask about it, nobody else.",
        "oneOf": [
            _object({"token": _TEXT}, ("token",), "a session token of STS"),
            _object(
                {"accessKeyId": _TEXT, "secretAccessKey": _TEXT, "sessionToken": _TEXT},
                ("accessKeyId", "secretAccessKey"),
                "a key id with its secret",
            ),
            _object(
                {"signedRequest": _ref("SignedRequest")},
                ("signedRequest",),
                "a request as its sender signed it, for whichever service",
            ),
        ],
    },
    "SignedRequest": _object(
        {
            "method": {"type": "string", "examples": ["GET"]},
            "url": {"description": "whole, or path and query", "type": "string", "examples": ["/orders/7"]},
            "headers": {
                "description": "by name; or pairs of name and value. Those that are signed, and Authorization",
                "oneOf": [
                    {"type": "object", "additionalProperties": {"type": ["string", "array"], "items": _TEXT}},
                    {"type": "array", "items": {"type": "array", "items": _TEXT}},
                ],
            },
            "body": {"type": "string", "description": "as text, in UTF-8"},
            "bodyBase64": _TEXT,
            "bodySha256": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "instead of the body",
            },
        },
        ("method", "url", "headers"),
    ),
    "Question": _object(
        {
            "credential": _ref("Credential"),
            "action": {"type": "string", "examples": ["orders:GetOrder"]},
            "resource": {"type": "string", "examples": ["arn:aws:orders:::order/7"]},
            "context": {
                "type": "object",
                "description": "condition keys: of the service, and of the global ones those that the service knows, "
                "as aws:SourceIp and aws:UserAgent of the caller",
                "additionalProperties": True,
                "examples": [{"aws:SourceIp": "192.0.2.7", "orders:Amount": 120}],
            },
            "requestParameters": {"type": "object", "description": "for the entry; secrets are taken out"},
            "region": {"type": "string", "examples": ["us-east-1"]},
            "eventSource": {
                "type": "string",
                "description": "the entry's; else SERVICE.amazonaws.com for services of AWS, SERVICE.internal for others",
                "examples": ["orders.example.com"],
            },
            "readOnly": {"type": "boolean", "description": "else told by the action"},
            "outcomeFollows": {
                "type": "boolean",
                "description": "an allowed call is written down with the outcome that is told next",
            },
        },
        ("credential", "action", "resource"),
    ),
    "Decided": _object(
        {
            "decision": {"enum": ["allowed", "explicitDeny", "implicitDeny"]},
            "account": {"type": "string", "examples": [_ACCOUNT]},
            "eventID": {"type": "string", "examples": [_EVENT]},
            "position": {
                **_nullable("integer"),
                "description": "of the entry; null where its outcome follows",
            },
            "receipt": {**_nullable("string"), "description": "to tell the outcome with"},
            "message": {**_nullable("string"), "description": "of a denial, as AWS words it"},
            "authorization": {
                "type": "object",
                "description": "as the entry keeps it: principal, context, every statement that matched with its policy, "
                "version and grants, what was missing, and the position of the account that it was made against",
            },
        },
        ("decision", "account", "eventID", "position", "receipt", "message", "authorization"),
    ),
    "Outcome": _object(
        {
            "receipt": _TEXT,
            "responseElements": {"type": "object"},
            "errorCode": {"type": "string", "examples": ["NotFound"]},
            "errorMessage": _TEXT,
        },
        ("receipt",),
    ),
    "Entered": _object(
        {"account": _TEXT, "eventID": _TEXT, "position": {"type": "integer"}},
        ("account", "eventID", "position"),
    ),
}

PATHS: Final[dict[str, Any]] = {
    "/v1/authorize": {
        "post": {
            "summary": "Authorize",
            "description": "May whoever has this credential do that? Each question is an entry of the log, be it allowed or "
            "denied. One question, or a list of up to 100; in a list each is answered by itself.",
            "operationId": "authorize",
            "security": [],
            "requestBody": {"required": True, "content": _one_or_many("Question")},
            "responses": {
                "200": _answered("Decided"),
                "401": _problem("Nobody is known by the credential; nothing was written down."),
                **_REFUSALS,
            },
        }
    },
    "/v1/outcomes": {
        "post": {
            "summary": "Tell what came of an allowed call",
            "description": "Within five minutes; what nobody tells is then written down without. Telling the same again is "
            "answered the same.",
            "operationId": "tell_outcome",
            "security": [],
            "requestBody": {"required": True, "content": _one_or_many("Outcome")},
            "responses": {"200": _answered("Entered"), **_REFUSALS},
        }
    },
}
