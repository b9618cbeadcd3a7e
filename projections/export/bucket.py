"""Where objects are kept that are named and described as in S3: a folder, or a bucket of S3 itself.

In a folder, an object is the file of its key, and what S3 keeps beside an object as user metadata is a small JSON file
under `signatures/`. Both are written under another name first, the metadata before the object: whoever sees an object
sees it whole, with what belongs to it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from projections.export.manifest import PRODUCT
from projections.export.target import ExportFailed

METADATA_FOLDER: Final = "signatures"
OBJECT_BYTES_MAX: Final = 256 * 1024 * 1024
KEY_BYTES_MAX: Final = 1024  # S3's own limit
NAME_BYTES_MAX: Final = 255  # of a file, on every usual file system


@dataclass(frozen=True, slots=True)
class Stored:
    """An object; `modified` is in seconds since 1970."""

    content: bytes = field(repr=False)
    metadata: Mapping[str, str]
    modified: int


class Bucket(Protocol):
    """Raises ExportFailed for what the place itself refuses."""

    def put(self, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
        """Keep an object, durably, in place of what is there."""

    def get(self, key: str) -> Stored | None: ...

    def has(self, key: str) -> bool: ...

    def every_key(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin so, sorted by their bytes."""


class FolderBucket:
    """The folder is made when something is put into it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def put(self, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
        path = self.path(key)
        if path is None:
            raise ExportFailed(f"{key!r} can't be the name of a file")
        try:
            if metadata:
                write_file(
                    self._metadata_path(key), orjson.dumps(dict(metadata), option=orjson.OPT_SORT_KEYS)
                )
            write_file(path, content)
        except OSError as error:
            raise ExportFailed(f"cannot write {path}: {error.strerror or error}") from error

    def get(self, key: str) -> Stored | None:
        path = self.path(key)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                return Stored(file.read(OBJECT_BYTES_MAX), self._metadata(key), int(status.st_mtime))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise ExportFailed(f"cannot read {path}: {error.strerror or error}") from error

    def has(self, key: str) -> bool:
        path = self.path(key)
        return path is not None and path.is_file()

    def every_key(self, prefix: str = "") -> Iterator[str]:
        folder = prefix.rpartition("/")[0]  # below it alone can anything begin so
        start = self.root / folder if folder else self.root
        dotted = folder and any(part in ("", ".", "..") for part in folder.split("/"))
        if dotted or not os.path.isdir(start):  # which is false of what can be no path, too
            return
        found = []
        for path, folders, files in os.walk(start):
            below = Path(path).relative_to(self.root).as_posix()
            if below == ".":
                below = ""
                folders[:] = [name for name in folders if name != METADATA_FOLDER]
                files = []  # objects have a folder; what lies beside them describes them
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [f"{below}/{name}" for name in files if not name.startswith(".")]
        yield from sorted((key for key in found if key.startswith(prefix)), key=os.fsencode)

    def path(self, key: str) -> Path | None:
        """The file of an object; None for a key that leads elsewhere, or to no object."""
        parts = key.split("/")
        if (
            len(parts) < 2
            or parts[0] == METADATA_FOLDER
            or len(key.encode("utf-8", "replace")) > KEY_BYTES_MAX
        ):
            return None
        if any(not part or part.startswith(".") or set(part) & set("\0\\:") for part in parts):
            return None
        if any(len(part.encode("utf-8", "replace")) > NAME_BYTES_MAX for part in parts):
            return None
        path = self.root.joinpath(*parts)
        within = path.parent.resolve().is_relative_to(self.root.resolve()) and not path.is_symlink()
        return path if within else None

    def _metadata_path(self, key: str) -> Path:
        return self.root / METADATA_FOLDER / f"{key}.json"

    def _metadata(self, key: str) -> Mapping[str, str]:
        try:
            told = orjson.loads(self._metadata_path(key).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
            return {}
        return told


def write_file(path: Path, content: bytes) -> None:
    """Down to the disk, name and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f".{PRODUCT}-{secrets.token_hex(6)}.partial"
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class S3Bucket:
    """A bucket of S3, or of what speaks its protocol: credentials, region and endpoint are botocore's to find."""

    def __init__(self, name: str, client: Any = None) -> None:
        self.name = name
        self._client = _client() if client is None else client

    def __str__(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
        with _told(f"cannot write s3://{self.name}/{key}"):
            self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=content,
                Metadata=dict(metadata),
                ContentType="application/json",
                ContentEncoding="gzip",
            )

    def get(self, key: str) -> Stored | None:
        with _told(f"cannot read s3://{self.name}/{key}"):
            try:
                told = self._client.get_object(Bucket=self.name, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            content = told["Body"].read(OBJECT_BYTES_MAX)
            return Stored(content, told.get("Metadata", {}), int(told["LastModified"].timestamp()))

    def has(self, key: str) -> bool:
        from botocore.exceptions import ClientError

        with _told(f"cannot read s3://{self.name}/{key}"):
            try:
                self._client.head_object(Bucket=self.name, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
            return True

    def every_key(self, prefix: str = "") -> Iterator[str]:
        with _told(f"cannot list s3://{self.name}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=prefix):
                for listed in page.get("Contents", ()):
                    yield listed["Key"]


def _client() -> Any:
    """Only who writes to S3 loads botocore, which takes a while."""
    from botocore.session import get_session

    with _told("cannot use S3"):
        session = get_session()
        return session.create_client("s3", region_name=session.get_config_variable("region") or "us-east-1")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What S3 or the way to it refuses becomes ExportFailed."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ExportFailed(f"{what}: {error}") from error


def place_of(told: str) -> tuple[Bucket, str | None, str | None]:
    """What `--to` names: the bucket; and for S3 its name and the prefix of its keys. Raises ExportFailed."""
    if not told.startswith("s3://"):
        return FolderBucket(Path(told)), None, None
    parts = urlsplit(told)
    if not parts.netloc or parts.query or parts.fragment:
        raise ExportFailed(f"{told!r} names no bucket; s3://BUCKET/PREFIX does")
    return S3Bucket(parts.netloc), parts.netloc, parts.path.strip("/") or None
