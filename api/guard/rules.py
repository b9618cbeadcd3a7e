"""Which route means which action on which resource: rules by method and path, as the service's own router reads paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.routing import compile_path

RESOURCE_FIELDS: Final = 6
_PLACE: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
_ACTION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}:[A-Za-z][A-Za-z0-9_.-]{0,127}", re.ASCII)
_RECORDED: Final = ("after", "before")

Elements = Mapping[str, Any]
Resource = Callable[[Elements], str | None]


class BadRule(ValueError):
    """This rule can't be meant."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`method` and `path` (with places, as in `/orders/{id}`) mean `action` on `resource`.

    `resource` is an ARN whose last part may have places, or a function that tells it from the elements of path and query
    (None: they don't say).
    Elements are what the path, then the query, then the top level of a JSON body call so. `request` and `response` are the elements that
    the entry keeps; `context` names condition keys, each with the element it takes its value from. `record="before"`
    writes the entry before the handler runs: then nothing of the answer is in it, and it is there whatever happens.
    `needs_body`: an element may stand in the body.
    """

    method: str
    path: str
    action: str
    resource: str | Resource = "*"
    request: tuple[str, ...] = ()
    response: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    record: str = "after"
    read_only: bool | None = None
    needs_body: bool = field(init=False, default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _ACTION.fullmatch(self.action):
            raise BadRule(f"{self.action!r} is not of the form service:Name, like orders:GetOrder")
        if self.record not in _RECORDED:
            raise BadRule(f"{self.record!r}: a call is recorded `before` or `after` it is handled")
        if self.record == "before" and self.response:
            raise BadRule(f"{self.method} {self.path} is recorded before there is a response to keep")
        in_path = compile_path(self.path)[2].keys()
        object.__setattr__(self, "needs_body", bool(self.names - in_path))
        if isinstance(self.resource, str) and self.resource != "*":
            fields = self.resource.split(":", RESOURCE_FIELDS - 1)
            if len(fields) != RESOURCE_FIELDS or fields[0] != "arn":
                raise BadRule(f"{self.resource!r} is neither an ARN nor *")
            if any(_PLACE.search(it) for it in fields[:-1]):
                raise BadRule(
                    f"{self.resource!r} has a place before its last part, where a caller could change it"
                )

    @property
    def names(self) -> frozenset[str]:
        """The elements of the request that it speaks of, but for those that only a function of it knows."""
        return self.single | {*self.request}

    @property
    def single(self) -> frozenset[str]:
        """The elements that the permission depends on: each may be told once only."""
        places = _PLACE.findall(self.resource) if isinstance(self.resource, str) else []
        return frozenset((*places, *self.context.values()))

    def resource_of(self, elements: Elements) -> str | None:
        """The ARN; None where an element is missing that it is made of."""
        if not isinstance(self.resource, str):
            return self.resource(elements)
        missing = False

        def put(found: re.Match[str]) -> str:
            nonlocal missing
            value = elements.get(found[1])
            if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
                missing = True
                return ""
            return str(value)

        told = _PLACE.sub(put, self.resource)
        return None if missing else told


@dataclass(frozen=True, slots=True)
class Public:
    """A route that anybody may call; it is neither asked about nor recorded. `method` may be `*`."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Matched:
    """The rule of a request, and what its path says."""

    rule: Rule | Public
    elements: dict[str, Any]


class Rules:
    """The first that matches counts, so they stand in the order of the service's routes."""

    def __init__(self, rules: Iterable[Rule | Public]) -> None:
        self._rules = []
        for rule in rules:
            pattern, _, convertors = compile_path(rule.path)
            self._rules.append((rule, pattern, convertors))

    def __iter__(self) -> Iterator[Rule | Public]:
        return (rule for rule, _, _ in self._rules)

    def match(self, method: str, path: str) -> Matched | None:
        """None where no rule speaks of the route. HEAD is what GET is, where it has no rule of its own."""
        found = self._match(method, path)
        return self._match("GET", path) if found is None and method == "HEAD" else found

    def _match(self, method: str, path: str) -> Matched | None:
        for rule, pattern, convertors in self._rules:
            if rule.method not in (method, "*") or (isinstance(rule, Rule) and rule.method == "*"):
                continue
            found = pattern.match(path)
            if found is not None:
                told = {name: convertors[name].convert(value) for name, value in found.groupdict().items()}
                return Matched(rule, told)
        return None
