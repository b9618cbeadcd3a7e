"""What an answer must hold to be one: every member that the model requires, and none that it doesn't know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.aws.models import Shape


class OutputMistake(Exception):
    """We answered what the operation's model does not allow: a mistake of ours, never the caller's."""


def check_members(shape: Shape, value: Mapping[str, Any]) -> None:
    """Raises OutputMistake. A member that is None is absent."""
    for name in shape.required:
        if value.get(name) is None:
            raise OutputMistake(f"{shape.name} needs {name}")
    for name in value:
        if name not in shape.members:
            raise OutputMistake(f"{shape.name} has no {name}")
