"""Requests that can't be understood, and how a refusal of any kind is said in XML and in JSON.

Source: IAM API reference, "Common Errors"; botocore's service models. Refusals by IAM's rules are `ledger.iam.refusals`;
they are said by the same two functions, for they too have a code, a status and a message.
"""

from __future__ import annotations

from typing import Final

import orjson

from api.aws.models import Operation, Service
from api.aws.xml_text import escaped

# Services that speak JSON have other names for what all services refuse alike, and say each with status 400.
IN_JSON: Final = {
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "RequestExpired": "InvalidSignatureException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "Throttling": "ThrottlingException",
    "ValidationError": "ValidationException",
}

FAULT_NAMESPACE = "http://webservices.amazon.com/AWSFault/2005-15-09"  # where no service is known


class WireError(Exception):
    """The request itself is at fault: `code` as it stands on the wire, `status` of HTTP (4xx), a message to read, and
    the operation as soon as it is known which one was meant.
    """

    def __init__(self, code: str, status: int, message: str, operation: Operation | None = None) -> None:
        super().__init__(code, status, message)
        self.code = code
        self.status = status
        self.message = message
        self.operation = operation

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def said_in_xml(service: Service | None, code: str, status: int, message: str, request_id: str) -> bytes:
    namespace = (service.namespace if service else None) or FAULT_NAMESPACE
    fault = "Sender" if status < 500 else "Receiver"
    said = f"<Message>{escaped(message)}</Message>" if message else ""
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{escaped(code)}</Code>'
        f"{said}</Error><RequestId>{escaped(request_id)}</RequestId></ErrorResponse>"
    ).encode()


def said_in_json(code: str, message: str) -> bytes:
    clean = message.encode("utf-8", "replace").decode()  # half a surrogate pair is no JSON
    return orjson.dumps({"__type": code, "message": clean})
