"""The words of a question turned into the numbers that entries are indexed by."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache

import sqlalchemy as sa

from ledger.log.names import digest
from ledger.log.schema import Kind, identities, principals, strings
from ledger.record import is_denial

REMEMBERED = (Kind.ACTION, Kind.ERROR, Kind.ADDRESS, Kind.AGENT)
WILD = re.compile(r"[*?]")
NUMBERS = re.compile(r"[\d.]+|[^*?/]*:[^*?/]*", re.ASCII)  # no service is called so


class BadFilter(ValueError):
    """A filter's value can't be understood. `name` is the filter, the message says what was wrong with it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class UnknownName(LookupError):
    """The ledger knows no account, principal, key, event or entity of that name."""


class Vocabulary:
    """The strings of one ledger. Those of the kinds that questions use patterns for are remembered."""

    def __init__(self) -> None:
        self._seen = 0
        self._texts: dict[Kind, dict[int, str]] = {kind: {} for kind in REMEMBERED}
        self._turn = threading.Lock()

    def refresh(self, connection: sa.Connection) -> None:
        """Learn what was appended since the last question."""
        newest = connection.execute(sa.select(sa.func.max(strings.c.id))).scalar() or 0
        if newest == self._seen:
            return
        with self._turn:
            query = sa.select(strings.c.id, strings.c.kind, strings.c.text).where(
                strings.c.id > self._seen, strings.c.id <= newest, strings.c.kind.in_(REMEMBERED)
            )
            for number, kind, text in connection.execute(query):
                self._texts[Kind(kind)][number] = text
            self._seen = newest

    def actions(self, pattern: str) -> set[int]:
        """`iam:CreateUser`, `iam:Create*`, `CreateUser`; case is ignored, as IAM does."""
        pattern = pattern if ":" in pattern else f"*:{pattern}"
        return self._matching(Kind.ACTION, _glob(pattern))

    def actions_of_service(self, service: str) -> set[int]:
        """`iam`, `iam.amazonaws.com`."""
        prefix = service.partition(".")[0].lower() + ":"
        return self._matching(Kind.ACTION, lambda text: text.lower().startswith(prefix))

    def action_names(self, names: Iterable[str]) -> set[int]:
        wanted = frozenset(names)
        return self._matching(Kind.ACTION, wanted.__contains__)

    def errors(self, pattern: str) -> set[int]:
        return self._matching(Kind.ERROR, _glob(pattern))

    def denials(self) -> set[int]:
        return self._matching(Kind.ERROR, is_denial)

    def all_errors(self) -> set[int]:
        return set(self._texts[Kind.ERROR])

    def agents(self, pattern: str) -> set[int]:
        """A pattern with `*` or `?`, or any part of a user agent."""
        return self._matching(Kind.AGENT, _glob(pattern if WILD.search(pattern) else f"*{pattern}*"))

    def addresses(self, address: str) -> set[int]:
        """An address, a network in CIDR form, or the name of an AWS service."""
        if "/" in address:
            try:
                network = ipaddress.ip_network(address, strict=False)
            except ValueError as error:
                raise BadFilter("source-ip", str(error)) from error
            return self._matching(Kind.ADDRESS, lambda text: _within(text, network))
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            return self._matching(Kind.ADDRESS, _glob(address))
        return self._matching(Kind.ADDRESS, lambda text: text == address or _address(text) == wanted)

    def _matching(self, kind: Kind, match: Callable[[str], bool]) -> set[int]:
        return {number for number, text in list(self._texts[kind].items()) if match(text)}


def check_address(address: str) -> None:
    """Raises BadFilter where it can only be meant to be an address, and is none."""
    if NUMBERS.fullmatch(address):
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise BadFilter("source-ip", str(error)) from error


def keys(connection: sa.Connection, access_key_id: str) -> set[int]:
    return _exact(connection, Kind.KEY, access_key_id)


def resources(connection: sa.Connection, named: str) -> set[int]:
    """An ARN, a pattern of one, or the bare name that an ARN ends in."""
    if not WILD.search(named):
        found = _exact(connection, Kind.RESOURCE, named)
        if found or named.startswith("arn:"):
            return found
        patterns = [f"%/{_like(named)}", f"%:{_like(named)}"]
    else:
        patterns = [_like(named).replace("*", "%").replace("?", "_")]
    query = sa.select(strings.c.id).where(
        strings.c.kind == Kind.RESOURCE,
        sa.or_(*(strings.c.text.like(pattern, escape="\\") for pattern in patterns)),
    )
    return set(connection.scalars(query))


def principals_named(connection: sa.Connection, named: str) -> set[int]:
    """A principal's ARN, unique id or name; names are compared ignoring case, as IAM does."""
    p = principals.c
    for condition in (p.arn == named, p.unique_id == named, p.name == named):
        found = set(connection.scalars(sa.select(p.id).where(condition)))
        if found:
            return found
    return set(connection.scalars(sa.select(p.id).where(sa.func.lower(p.name) == named.lower())))


def identities_of_session(connection: sa.Connection, session_arn: str) -> dict[int, int]:
    """Identity → principal of a role session's or federated user's ARN; `Role/session` will do."""
    i = identities.c
    if session_arn.startswith("arn:"):
        condition = i.session_arn == session_arn
    else:
        condition = i.session_arn.like(f"%/{_like(session_arn)}", escape="\\")
    query = sa.select(i.id, i.principal).where(condition)
    return {row.id: row.principal for row in connection.execute(query)}


def _exact(connection: sa.Connection, kind: Kind, text: str) -> set[int]:
    query = sa.select(strings.c.id, strings.c.text).where(
        strings.c.kind == kind, strings.c.digest == digest(text.encode("utf-8", "replace"))
    )
    return {number for number, found in connection.execute(query) if found == text}


def _glob(pattern: str) -> Callable[[str], bool]:
    """IAM's wildcards, `*` and `?`, and no other."""
    escaped = fnmatch.translate(pattern.replace("[", "[[]"))
    found = re.compile(escaped, re.IGNORECASE)
    return lambda text: found.match(text) is not None


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@lru_cache(maxsize=200_000)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _within(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    address = _address(text)
    return address is not None and address.version == network.version and address in network
