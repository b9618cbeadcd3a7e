"""The manifest of an export: what was asked, what was found, and digests by which both can be checked.

`leafHashes` is the SHA-256 of the leaf hashes of an account's exported entries, one after the other in the order
of the export: whoever has the ledger can ask the same question again and see that nothing was left out or changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from tempfile import SpooledTemporaryFile
from typing import Any, Final

import orjson

from ledger.entry import Entry
from ledger.record import format_time

PRODUCT: Final = "iam-ledger"
MANIFEST_VERSION: Final = 1
SPOOL_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class AccountSpan:
    """The exported entries of one account."""

    account_id: str
    count: int
    first: int  # the lowest and the highest position
    last: int
    leaf_hashes: str  # hex

    @property
    def left_out(self) -> int:
        """How many positions between the first and the last are not in the export."""
        return self.last - self.first + 1 - self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An export as a whole. The list of its files stands only in the file of the manifest: it may be long."""

    form: str
    question: Mapping[str, Any]
    created_at: int  # seconds since 1970
    accounts: tuple[AccountSpan, ...]
    oldest: int | None  # eventTime, seconds since 1970
    newest: int | None
    file_count: int
    file_bytes: int

    @property
    def entries(self) -> int:
        return sum(span.count for span in self.accounts)

    def document(self) -> dict[str, Any]:
        """As JSON, without the list of files."""
        return {
            "product": PRODUCT,
            "productVersion": _product_version(),
            "manifestVersion": MANIFEST_VERSION,
            "form": self.form,
            "createdAt": format_time(self.created_at),
            "question": dict(self.question),
            "entries": self.entries,
            "time": {
                "first": None if self.oldest is None else format_time(self.oldest),
                "last": None if self.newest is None else format_time(self.newest),
            },
            "accounts": [
                {
                    "account": span.account_id,
                    "count": span.count,
                    "first": span.first,
                    "last": span.last,
                    "leftOut": span.left_out,
                    "leafHashes": span.leaf_hashes,
                }
                for span in self.accounts
            ],
            "fileCount": self.file_count,
            "fileBytes": self.file_bytes,
        }


class Tally:
    """Counts the entries of an export as they pass."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._oldest: int | None = None
        self._newest: int | None = None

    @property
    def entries(self) -> int:
        return sum(account.count for account in self._accounts.values())

    def counted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            account = self._accounts.get(entry.account_id)
            if account is None:
                account = self._accounts[entry.account_id] = _Account(entry.position, entry.position)
            account.add(entry)
            if self._oldest is None or entry.time < self._oldest:
                self._oldest = entry.time
            if self._newest is None or entry.time > self._newest:
                self._newest = entry.time
            yield entry

    def manifest(
        self, *, form: str, question: Mapping[str, Any], created_at: int, file_count: int, file_bytes: int
    ) -> Manifest:
        return Manifest(
            form=form,
            question=question,
            created_at=created_at,
            accounts=tuple(
                account.span(account_id) for account_id, account in sorted(self._accounts.items())
            ),
            oldest=self._oldest,
            newest=self._newest,
            file_count=file_count,
            file_bytes=file_bytes,
        )


@dataclass(slots=True)
class _Account:
    first: int
    last: int
    count: int = 0
    leaf_hashes: Any = field(default_factory=hashlib.sha256)

    def add(self, entry: Entry) -> None:
        self.count += 1
        self.first = min(self.first, entry.position)
        self.last = max(self.last, entry.position)
        self.leaf_hashes.update(entry.leaf_hash)

    def span(self, account_id: str) -> AccountSpan:
        return AccountSpan(account_id, self.count, self.first, self.last, self.leaf_hashes.hexdigest())


class FileList:
    """The files of an export, kept on disk if it is long: CloudTrail's form may have millions."""

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self._spool = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115

    def __enter__(self) -> FileList:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def add(self, path: str, *, size: int, sha256: str, entries: int) -> None:
        listed = orjson.dumps({"path": path, "bytes": size, "sha256": sha256, "entries": entries})
        self._spool.write((b",\n    " if self.count else b"\n    ") + listed)
        self.count += 1
        self.bytes += size

    def manifest_text(self, manifest: Manifest) -> Iterator[bytes]:
        """The manifest as JSON, with the list of files at its end, a file a line."""
        head = orjson.dumps(manifest.document(), option=orjson.OPT_INDENT_2)
        yield head.removesuffix(b"\n}") + b',\n  "files": ['
        self._spool.seek(0)
        while chunk := self._spool.read(SPOOL_BYTES):
            yield chunk
        yield b"\n  ]\n}\n"


def _product_version() -> str:
    try:
        return version(PRODUCT)
    except PackageNotFoundError:  # a checkout that was not installed
        return "unknown"
