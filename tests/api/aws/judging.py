"""botocore as the judge of what we read and write, and random values of its shapes.

The values keep to types and counts, not to patterns: the protocols must carry any text.
"""

from datetime import datetime
from random import Random
from typing import Any
from urllib.parse import urlencode

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel, ServiceModel
from botocore.model import Shape as ModelShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from api.aws.models import SERVICES
from api.aws.wire import Reply

TEXTS = (
    *(
        "",
        "alice",
        "a b",
        "&=%+;#?",
        '<a href="x">&amp;</a>',
        " leading",
        "trailing ",
        "line\nfeed",
        "tab\tstop",
    ),
    *("carriage\rreturn\r\n", "Zoë", "日本語", "\U0001f512", "member.1", "]]>", "null", "true", "0"),
)


def model_of(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


MODELS = {name: model_of(name) for name in SERVICES}


def every_operation(*services: str) -> list[OperationModel]:
    return [
        MODELS[service].operation_model(name)
        for service in services
        for name in MODELS[service].operation_names
    ]


def named(operation: OperationModel) -> str:
    return f"{operation.service_model.service_name}:{operation.name}"


def random_value(shape: ModelShape, random: Random, *, required_only: bool = False) -> Any:
    match shape.type_name:
        case "structure":
            chosen = [
                name
                for name in shape.members
                if name in shape.required_members or (not required_only and random.random() < 0.6)
            ]
            if not chosen and shape.members and not required_only:
                chosen = [random.choice(list(shape.members))]
            return {name: random_value(shape.members[name], random) for name in chosen}
        case "list":
            return [random_value(shape.member, random) for _ in range(random.choice((0, 1, 1, 2, 12)))]
        case "map":
            keys = [f"{text}{number}" for number, text in enumerate(random.sample(TEXTS, 3))]
            return {key: random_value(shape.value, random) for key in keys}
        case "string":
            return random.choice(TEXTS) + random.choice(TEXTS)
        case "boolean":
            return random.random() < 0.5
        case "integer":
            return random.choice((0, 1, -1, 900, 2**31 - 1, -(2**31)))
        case "long":
            return random.choice((0, -1, 2**63 - 1, -(2**63)))
        case "float" | "double":
            return random.choice((0.5, -3.25))
        case "timestamp":
            return random.choice((0, 951_782_400, 1_700_000_000, 4_102_444_799))
        case "blob":
            return random.randbytes(random.choice((0, 1, 2, 3, 300)))
        case other:
            raise AssertionError(other)


def as_form(operation: OperationModel, parameters: dict[str, Any]) -> bytes:
    """The body that botocore sends."""
    request = create_serializer("query", include_validation=False).serialize_to_request(parameters, operation)
    return urlencode(request["body"]).encode()


def as_json(operation: OperationModel, parameters: dict[str, Any]) -> tuple[str, bytes]:
    """Target and body that botocore sends."""
    request = create_serializer("json", include_validation=False).serialize_to_request(parameters, operation)
    return request["headers"]["X-Amz-Target"], request["body"]


def understood(operation: OperationModel, reply: Reply) -> dict[str, Any]:
    """What botocore's clients make of an answer."""
    parser = create_parser(operation.service_model.protocol)
    told = {"status_code": reply.status, "headers": HeadersDict(reply.headers), "body": reply.body}
    return plain(parser.parse(told, operation.output_shape))


def plain(value: Any) -> Any:
    """With times as seconds."""
    match value:
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case datetime():
            return int(value.timestamp())
        case _:
            return value
