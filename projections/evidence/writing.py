"""A bundle on disk, as one .zip or as a folder. The same files give the same bytes, on every machine."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from projections.evidence.bundle import Files

ENDING: Final = ".zip"
BEGINNING: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format can tell


class EvidenceExists(Exception):
    """Something stands there. The message says so in one line."""


def write_bundle(files: Files, to: Path) -> None:
    """A .zip where the name ends so, else a new folder. Raises EvidenceExists, OSError."""
    if to.exists() or to.is_symlink():
        raise EvidenceExists(f"{to} exists; name another file or folder")
    if to.suffix != ENDING:
        _write_folder(files, to)
        return
    try:
        with to.open("xb") as opened:
            opened.write(zipped(files))
            opened.flush()
            os.fsync(opened.fileno())
    except OSError:
        to.unlink(missing_ok=True)  # half of it must not pass for evidence
        raise


def zipped(files: Files) -> bytes:
    """Stored, not compressed: what compression makes of it depends on the library, and the digest must not."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, BEGINNING)
            member.create_system = 3  # Unix, wherever it is written
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content)
    return made.getvalue()


def digest_of(path: Path) -> tuple[str, Path]:
    """SHA-256 of the .zip; of a folder, of its evidence.json, which commits to all records in it. Raises OSError."""
    named = path / "evidence.json" if path.is_dir() else path
    with named.open("rb") as opened:
        digest = sha256()
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest(), named


def _write_folder(files: Files, to: Path) -> None:
    to.mkdir()
    try:
        for name, content in sorted(files.items()):
            path = to / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    except OSError:
        shutil.rmtree(to, ignore_errors=True)
        raise
