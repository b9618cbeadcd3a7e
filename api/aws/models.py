"""AWS's own descriptions of IAM, STS and CloudTrail, as botocore carries them: the data that this package is driven by.

A model is read once, when it is first asked for. What these three services don't use of the protocols (flattened lists,
names that differ on the wire, members in headers, shapes within themselves) is refused here, so that a newer botocore
that brings it fails at once and not by an answer that nobody can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal

SERVICES: Final = ("iam", "sts", "cloudtrail")

Protocol = Literal["query", "json"]

_NOT_SPOKEN: Final = frozenset(
    {"flattened", "locationName", "location", "xmlAttribute", "xmlNamespace", "timestampFormat", "streaming"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A type of the model, with those of its members. Shapes are the same if they are the same object."""

    name: str
    kind: str  # structure, list, map, string, integer, long, float, double, boolean, timestamp, blob
    members: Mapping[str, Shape] = field(default_factory=lambda: MappingProxyType({}))
    required: frozenset[str] = frozenset()
    key: Shape | None = None  # of a map
    item: Shape | None = None  # of a list, or the value of a map
    least: int | None = None  # length, count or value
    most: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    sensitive: bool = False


NO_MEMBERS: Final = Shape("NoMembers", "structure")


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """`result` is the element that holds the output in XML; None where AWS answers without one."""

    service: Service
    name: str
    input: Shape
    output: Shape
    result: str | None

    @property
    def action(self) -> str:
        return f"{self.service.name}:{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    name: str
    version: str  # of the API: a date
    protocol: Protocol
    namespace: str | None  # of its XML
    target: str | None  # before the operation's name in X-Amz-Target
    operation_names: frozenset[str]
    _model: Mapping[str, Any] = field(repr=False)
    _shapes: dict[str, Shape] = field(default_factory=dict, repr=False)
    _operations: dict[str, Operation] = field(default_factory=dict, repr=False)

    def operation(self, name: str) -> Operation | None:
        """None if the service has no such operation. Names are case-sensitive."""
        if name in self._operations:
            return self._operations[name]
        if name not in self.operation_names:
            return None
        described = self._model["operations"][name]
        output = described.get("output")
        self._operations[name] = Operation(
            self,
            name,
            input=self._shape(described["input"]) if "input" in described else NO_MEMBERS,
            output=self._shape(output) if output else NO_MEMBERS,
            result=output.get("resultWrapper") if output else None,
        )
        return self._operations[name]

    def _shape(self, reference: Mapping[str, Any], within: tuple[str, ...] = ()) -> Shape:
        name: str = reference["shape"]
        if name in self._shapes:
            return self._shapes[name]
        described = self._model["shapes"][name]
        unspoken = _NOT_SPOKEN & (described.keys() | reference.keys())
        assert not unspoken, f"{self.name} {name} has {sorted(unspoken)}"
        assert name not in within, f"{self.name} {name} is within itself"
        within = (*within, name)
        item = described.get("member") or described.get("value")
        self._shapes[name] = Shape(
            name,
            described["type"],
            members=MappingProxyType(
                {member: self._shape(inner, within) for member, inner in described.get("members", {}).items()}
            ),
            required=frozenset(described.get("required", ())),
            key=self._shape(described["key"], within) if "key" in described else None,
            item=self._shape(item, within) if item else None,
            least=described.get("min"),
            most=described.get("max"),
            pattern=described.get("pattern"),
            enum=tuple(described.get("enum", ())),
            sensitive=described.get("sensitive", False),
        )
        return self._shapes[name]


@cache
def service(name: str) -> Service:
    """By botocore's name of it: one of SERVICES."""
    from botocore.loaders import Loader  # costs a quarter of a second, which only who speaks AWS has to pay

    # Only the models that came with botocore: never what lies in ~/.aws/models of whoever runs this.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    model = loader.load_service_model(name, "service-2")
    metadata = model["metadata"]
    return Service(
        name,
        metadata["apiVersion"],
        metadata["protocol"],
        metadata.get("xmlNamespace"),
        metadata.get("targetPrefix"),
        frozenset(model["operations"]),
        model,
    )


@cache
def service_of_version(version: str) -> Service | None:
    """Which service of the Query protocol has this version of its API; None if none has."""
    spoken = (service(name) for name in SERVICES)
    return next((one for one in spoken if one.protocol == "query" and one.version == version), None)
