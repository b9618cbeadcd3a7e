"""botocore's models as the judge of answers: every member known and of its type, and every required one there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.model import ServiceModel, Shape

# A time is seconds since 1970 where it is decided, and a datetime where a client has read it.
_DECIDED: Final = {"timestamp": int, "blob": bytes}
_PARSED: Final = {"timestamp": datetime, "blob": bytes}
_PLAIN: Final = {"string": str, "integer": int, "long": int, "boolean": bool, "float": float, "double": float}


@cache
def model_of(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def check_output(action: str, output: Mapping[str, Any], *, parsed: bool = False) -> None:
    """Fails where the operation's model does not allow this output; `parsed` is what a client has made of it."""
    service, _, operation = action.partition(":")
    shape = model_of(service).operation_model(operation).output_shape
    if shape is None:
        assert not output, f"{action} answers with no elements, not {output}"
    else:
        _check(shape, output, operation, _PLAIN | (_PARSED if parsed else _DECIDED))


def _check(shape: Shape, value: Any, where: str, types: Mapping[str, type]) -> None:
    match shape.type_name:
        case "structure":
            assert isinstance(value, Mapping), where
            assert set(value) <= set(shape.members), f"{where} has no {set(value) - set(shape.members)}"
            missing = set(shape.required_members) - set(value)
            assert not missing, f"{where} needs {missing}"
            for name, member in value.items():
                _check(shape.members[name], member, f"{where}.{name}", types)
        case "list":
            assert isinstance(value, list), where
            for index, item in enumerate(value):
                _check(shape.member, item, f"{where}[{index}]", types)
        case "map":
            assert isinstance(value, Mapping), where
            for key, item in value.items():
                _check(shape.key, key, f"{where} key", types)
                _check(shape.value, item, f"{where}[{key!r}]", types)
        case kind:
            assert type(value) is types[kind], f"{where}: {value!r} is no {kind}"
