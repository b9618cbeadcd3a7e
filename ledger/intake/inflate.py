"""Unpacks what a file holds: gzip, zip, zstd, bzip2 and xz, told by their first bytes, one within the other too.

Everything is read piece by piece, and what inflates further than the limits allow is turned away (`Damage`).
"""

from __future__ import annotations

import bz2
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

import zstandard

try:
    from isal import isal_zlib as fast_zlib
except ImportError:
    fast_zlib = zlib

from ledger.intake.limits import MIB, Limits
from ledger.intake.rejects import Damage, Reason
from ledger.intake.sources import CHUNK_BYTES, Tap

GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
ZSTD: Final = b"\x28\xb5\x2f\xfd"
BZIP2: Final = b"BZh"
XZ: Final = b"\xfd7zXZ\x00"
HEAD_BYTES: Final = 512  # enough to know a tar by
WINDOW_BYTES_MAX: Final = 128 * MIB

Chunks = Iterator[bytes]


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Budget:
    """What a source may still inflate to, all its members together."""

    limits: Limits
    packed_bytes: int | None  # on disk; None if that is not known
    inflated_bytes: int = 0

    def spend(self, count: int) -> None:
        """Raises Damage when the limit is passed."""
        self.inflated_bytes += count
        limits = self.limits
        if self.inflated_bytes > limits.inflated_bytes_max:
            raise Damage(
                Reason.INFLATES_TOO_FAR, f"inflates to more than {limits.inflated_bytes_max:,} bytes"
            )
        if (
            self.packed_bytes
            and self.inflated_bytes > limits.ratio_bytes_min
            and self.inflated_bytes > self.packed_bytes * limits.inflated_ratio_max
        ):
            raise Damage(
                Reason.INFLATES_TOO_FAR, f"inflates to more than {limits.inflated_ratio_max} times its size"
            )


def members(name: str, tap: Tap, budget: Budget) -> Iterator[tuple[str, Chunks | Damage]]:
    """Each file in a source with its name (`logs.zip!2023/07.json`) and bytes, or why there are none.

    The bytes of one must be read before the next is asked for. They may end in Damage; what was sound comes first.
    """
    yield from _unpack(name, _Peeked(tap), tap.file if tap.seekable else None, budget, layer=0)


def inflate_whole(packed: bytes, *, bytes_max: int) -> bytes | None:
    """The content of one gzip member, or of no packing at all, in one go; None if that is not what this is."""
    if packed[:2] != GZIP:
        return packed if _is_plain(packed[:HEAD_BYTES]) and len(packed) <= bytes_max else None
    if packed[3:4] > b"\x1f":  # flags that gzip has not (RFC 1952, 2.3.1.2): isal would not mind them
        return None
    inflater = fast_zlib.decompressobj(wbits=31)
    try:
        whole: bytes = inflater.decompress(packed, bytes_max)
    except fast_zlib.error:
        return None
    done = inflater.eof and not inflater.unused_data and _is_plain(whole[:HEAD_BYTES])
    return whole if done else None


def _is_plain(head: bytes) -> bool:
    return not head.startswith((GZIP, ZSTD, BZIP2, XZ, *ZIP)) and not _is_tar(head)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


class _Peeked:
    """Bytes whose beginning was looked at."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._ahead = b""

    def peek(self) -> bytes:
        while len(self._ahead) < HEAD_BYTES and (chunk := self._file.read(CHUNK_BYTES)):
            self._ahead += chunk
        return self._ahead[:HEAD_BYTES]

    def read(self, size: int, /) -> bytes:
        if not self._ahead:
            return self._file.read(size)
        chunk, self._ahead = self._ahead[:size], self._ahead[size:]
        return chunk


class _Inflated:
    """The bytes of a generator of chunks, to be read like a file."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._left = b""

    def read(self, size: int, /) -> bytes:
        if not self._left:
            self._left = next(self._chunks, b"")
        chunk, self._left = self._left[:size], self._left[size:]
        return chunk


def _unpack(
    name: str, file: _Peeked, seekable: BinaryIO | None, budget: Budget, layer: int
) -> Iterator[tuple[str, Chunks | Damage]]:
    try:
        head = file.peek()
    except (Damage, OSError) as error:
        yield name, _damage(error)
        return
    if layer >= budget.limits.layers_max and not _is_plain(head):
        yield name, Damage(Reason.INFLATES_TOO_FAR, f"packed more than {budget.limits.layers_max} times over")
    elif head.startswith(ZIP):
        yield from _unzip(name, file, seekable, budget, layer)
    elif _is_tar(head):
        yield name, Damage(Reason.UNSUPPORTED, "a tar archive; unpack it first")
    elif _is_plain(head):
        yield name, _plain(file)
    else:
        yield from _unpack(name, _Peeked(_Inflated(_inflate(file, head, budget))), None, budget, layer + 1)


def _plain(file: _Peeked) -> Chunks:
    try:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise _damage(error) from error


class _Zstd:
    """One zstd frame, with the interface of the standard library's decompressors.

    It knows no bound for what comes out, so little is put in: 512 bytes make at most 16 MiB.
    """

    needs_input = True

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX).decompressobj()
        self.eof = False
        self.unused_data = b""
        self.unconsumed_tail = b""

    def decompress(self, data: bytes, _bytes_max: int) -> bytes:
        chunk: bytes = self._frame.decompress(data[:512])
        self.unconsumed_tail = data[512:]
        if self._frame.eof:
            self.eof = True
            self.unused_data = self._frame.unused_data + self.unconsumed_tail
            self.unconsumed_tail = b""
        return chunk


def _inflater(head: bytes) -> Any:
    if head.startswith(GZIP):
        return zlib.decompressobj(wbits=31)
    if head.startswith(ZSTD):
        return _Zstd()
    return (
        bz2.BZ2Decompressor() if head.startswith(BZIP2) else lzma.LZMADecompressor(memlimit=WINDOW_BYTES_MAX)
    )


def _inflate(file: _Peeked, head: bytes, budget: Budget) -> Chunks:
    """Any number of packed members, one after the other. Zeros may follow the last, as tapes leave them."""
    inflater, packed, fresh = _inflater(head), b"", True
    while True:
        packed = packed or getattr(inflater, "unconsumed_tail", b"")
        at_end = False
        if not packed and getattr(inflater, "needs_input", True):
            packed = file.read(CHUNK_BYTES)
            at_end = not packed
        if at_end and fresh:
            return
        try:
            chunk = inflater.decompress(packed, CHUNK_BYTES)
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError) as error:
            raise Damage(Reason.CORRUPT, f"the packed data is damaged ({error})") from error
        packed, fresh = b"", False
        if chunk:
            budget.spend(len(chunk))
            yield chunk
        if inflater.eof:
            packed = inflater.unused_data.lstrip(b"\0") or _past_zeros(file)
            while packed and len(packed) < len(XZ) and (more := file.read(CHUNK_BYTES)):
                packed += more
            if packed and not packed.startswith(head[:2]):
                raise Damage(Reason.CORRUPT, "something that is not packed follows the packed data")
            inflater, fresh = _inflater(head), True
        elif at_end and not chunk:
            raise Damage(Reason.CUT_SHORT, "the packed data ends before its end mark")


def _past_zeros(file: _Peeked) -> bytes:
    while chunk := file.read(CHUNK_BYTES):
        if chunk := chunk.lstrip(b"\0"):
            return chunk
    return b""


def _unzip(
    name: str, file: _Peeked, seekable: BinaryIO | None, budget: Budget, layer: int
) -> Iterator[tuple[str, Chunks | Damage]]:
    with tempfile.SpooledTemporaryFile(max_size=16 * MIB) as spool:
        try:
            if seekable is None:  # a zip is read from its end
                while chunk := file.read(CHUNK_BYTES):
                    spool.write(chunk)
            archive = zipfile.ZipFile(seekable if seekable is not None else spool)
            entries = sorted((entry for entry in archive.infolist() if not entry.is_dir()), key=_entry_name)
            if len(entries) > budget.limits.members_max:
                raise Damage(Reason.TOO_LARGE, f"holds {len(entries):,} files")
        except (Damage, OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            yield name, _damage(error)
            return
        for entry in entries:
            member = f"{name}!{entry.filename}"
            try:
                with archive.open(entry) as content:
                    chunks = _zip_content(content, budget)
                    yield from _unpack(member, _Peeked(_Inflated(chunks)), None, budget, layer + 1)
            except (Damage, *_ZIP_ERRORS) as error:
                yield member, _damage(error)


_ZIP_ERRORS = (
    OSError,
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    ValueError,
    EOFError,
    zlib.error,
)


def _entry_name(entry: zipfile.ZipInfo) -> str:
    return entry.filename


def _zip_content(content: Readable, budget: Budget) -> Chunks:
    try:
        while chunk := content.read(CHUNK_BYTES):
            budget.spend(len(chunk))
            yield chunk
    except (*_ZIP_ERRORS, lzma.LZMAError) as error:
        raise _damage(error) from error


def _damage(error: Exception) -> Damage:
    if isinstance(error, Damage):
        return error
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return Damage(Reason.ENCRYPTED, "a member is encrypted")
    if isinstance(error, NotImplementedError):
        return Damage(Reason.UNSUPPORTED, str(error))
    if isinstance(error, EOFError):
        return Damage(Reason.CUT_SHORT, "the packed data ends before its end mark")
    if isinstance(error, zipfile.BadZipFile | zlib.error | lzma.LZMAError | ValueError):
        return Damage(Reason.CORRUPT, f"the packed data is damaged ({error})")
    return Damage(Reason.UNREADABLE, str(error) or type(error).__name__)
