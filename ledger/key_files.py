"""Files that hold a key, and that nobody but their owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

FILE_BYTES_MAX: Final = 4_096


class KeyFileUnusable(Exception):
    """The message says why, in one line, and holds nothing of what the file does."""


def read_key_file(path: Path) -> str:
    """Raises KeyFileUnusable."""
    try:
        return read_key_bytes(path, FILE_BYTES_MAX).decode("ascii")
    except UnicodeDecodeError:
        raise KeyFileUnusable(f"cannot read the key file {path}: it holds no key") from None


def read_key_bytes(path: Path, bytes_max: int) -> bytes:
    """No more than the first so many bytes. Raises KeyFileUnusable."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileUnusable(f"{path} is no file")
            if os.name == "posix" and status.st_mode & 0o077:
                raise KeyFileUnusable(f"others than its owner can use the key file {path}; chmod 600 it")
            return file.read(bytes_max)
    except OSError as error:
        raise KeyFileUnusable(f"cannot read the key file {path}: {error.strerror}") from None


def write_key_file(path: Path, text: str) -> None:
    """Into a new file. Raises OSError, where there is one too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
