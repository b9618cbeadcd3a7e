"""The filters of `events`, as options: one list, for every command that takes them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from api.cli.exits import Failed

if TYPE_CHECKING:
    from projections.activity import Question

UNTIL = "Up to and without this time."


def _text(name: str, what: str, metavar: str = "TEXT") -> Any:
    return typer.Option(*name.split(), help=what, metavar=metavar, rich_help_panel="Filters")


def _flag(name: str, what: str) -> Any:
    return typer.Option(name, help=what, rich_help_panel="Filters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the options said. Several filters mean: all of them."""

    principal: Annotated[str | None, _text("--principal", "ARN, name or unique id.", "WHO")] = None
    access_key: Annotated[str | None, _text("--access-key", "AKIA… or ASIA….", "ID")] = None
    action: Annotated[str | None, _text("--action", "iam:CreateUser, iam:Create*.", "ACTION")] = None
    service: Annotated[str | None, _text("--service", "iam, s3, sts.", "NAME")] = None
    resource: Annotated[str | None, _text("--resource", "ARN, pattern or name.", "WHAT")] = None
    source_ip: Annotated[str | None, _text("--source-ip", "Address, CIDR or service.", "IP")] = None
    user_agent: Annotated[str | None, _text("--user-agent", "A part of it, or a pattern.")] = None
    error: Annotated[str | None, _text("--error", "AccessDenied, NoSuch*.", "CODE")] = None
    denied: Annotated[bool, _flag("--denied", "Only what was refused for want of permission.")] = False
    failed: Annotated[bool, _flag("--failed", "Only what ended in any error, denials included.")] = False
    succeeded: Annotated[bool, _flag("--succeeded", "Only what ended in no error.")] = False
    read_only: Annotated[bool, _flag("--read-only", "Only calls that change nothing.")] = False
    changing: Annotated[bool, _flag("--changing", "Only calls that change something.")] = False
    session: Annotated[
        str | None, _text("--session", "Session ARN, Role/session, or its ASIA… key.", "SESSION")
    ] = None
    account: Annotated[str | None, _text("--account", "Twelve digits.", "ID")] = None
    text: Annotated[str | None, _text("--text", "Anywhere in request, response or message.")] = None
    since: Annotated[str | None, _text("--from --since", "From this time on.", "TIME")] = None
    until: Annotated[str | None, _text("--to --until", UNTIL, "TIME")] = None

    def question(self, **more: Any) -> Question:
        """Raises BadFilter for a value and Failed for filters that contradict each other."""
        from api.asking import question

        words = {field.name: getattr(self, field.name) for field in fields(self)}
        outcome = self._one_of("denied", "failed", "succeeded")
        manner = self._one_of("read_only", "changing")
        for flag in ("denied", "failed", "succeeded", "read_only", "changing"):
            del words[flag]
        read_only = None if manner is None else manner == "read_only"
        return question(**words, outcome=outcome, read_only=read_only, **more)

    def _one_of(self, *flags: str) -> str | None:
        given = [flag for flag in flags if getattr(self, flag)]
        if len(given) > 1:
            raise Failed(
                " and ".join(f"--{flag.replace('_', '-')}" for flag in given) + " exclude each other"
            )
        return given[0] if given else None

    @property
    def given(self) -> list[str]:
        """The names of the filters that were used."""
        return [field.name for field in fields(self) if getattr(self, field.name) not in (None, False)]


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each filter; it receives them as one value, `filters`."""
    names = [field.name for field in fields(Filters)]
    hints = get_type_hints(Filters, include_extras=True)
    own = inspect.signature(command, eval_str=True)
    if "to" in own.parameters:  # where --to says whither
        hints["until"] = Annotated[str | None, _text("--until", UNTIL, "TIME")]

    @functools.wraps(command)
    def asked(**options: Any) -> None:
        filters = Filters(**{name: options.pop(name) for name in names})
        command(filters=filters, **options)

    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(Filters)
    ]
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        if name != "filters"
    ]
    parameters = [kept[0], *options, *kept[1:]]  # the context comes first
    asked.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return asked
