"""The canonical form of a request, which AWS Signature Version 4 signs. Proved by the vectors of aws-c-auth.

Source: IAM user guide, "Create a signed AWS API request". Made from the bytes as they came, never from what a framework
took them for. Two requests have one canonical form only if they mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it stood on the wire. `path` and `query` are what is before and behind the first `?`.

    Names of headers may be of any case; there is a pair for each line. `body_sha256`, in hexadecimal, stands for the body
    where that itself is elsewhere.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)
    body_sha256: str | None = None


def canonical_path(path: bytes, *, normalize: bool = True) -> str:
    """The path encoded (once more, where it is already), without dots and empty segments.

    Not normalized is what S3 alone signs: encoded once, whatever is in it.
    """
    if path in (b"", b"/"):
        return "/"
    path = _without_dots(path) if normalize else unquote_to_bytes(path)
    return quote(path, safe="/" + UNRESERVED)


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    end = b"/" if kept and path.endswith(b"/") else b""
    return b"/" + b"/".join(kept) + end


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values, encoded the one way that is canonical, in the order of the query.

    `+` is a space, as it is for whoever reads the parameters; else a signed `%2B` could be exchanged for it.
    """
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_encoded(name), _encoded(value)))
    return pairs


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: bytes) -> str:
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe=UNRESERVED)


def header_values(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case; spaces trimmed and collapsed, lines of one name joined by commas."""
    values: dict[str, str] = {}
    for name, value in headers:
        plain = name.decode("latin-1").lower()
        text = b" ".join(value.split()).decode("latin-1")
        values[plain] = f"{values[plain]},{text}" if plain in values else text
    return values


def canonical_request(
    method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body_hash: str
) -> bytes:
    """`headers` are the signed ones, in the order of their names. `body_hash` is SHA-256 in hexadecimal."""
    signed = list(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    names = ";".join(name for name, _ in signed)
    return f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body_hash}".encode("latin-1")
