"""ListObjects of S3: which keys are on a page, and how both versions of the operation say so.

Source: Amazon S3 API reference, "ListObjects" and "ListObjectsV2".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Final
from urllib.parse import quote

from api.aws.xml_text import escaped
from projections.export.bucket import Stored

LISTED_MAX: Final = 1_000
NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked. `second` is version 2, whose token and beginning are told again in the answer.

    `after` is what all that is listed comes after; `encoded` asks for keys in the encoding of URLs.
    """

    bucket: str
    second: bool
    prefix: str
    delimiter: str
    after: str
    most: int
    encoded: bool
    token: str | None = None
    start_after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`last` is the last key or common prefix of the page."""

    keys: tuple[str, ...]
    common_prefixes: tuple[str, ...]
    truncated: bool
    last: str


def listed(listing: Listing, keys: Iterable[str]) -> Page:
    """`keys` are those that begin with the prefix, sorted."""
    found: list[str] = []
    common: list[str] = []
    last = ""
    for key in keys:
        rolled = _rolled(listing, key)
        if (rolled or key) <= listing.after or (rolled is not None and rolled == last):
            continue
        if len(found) + len(common) >= listing.most:
            return Page(tuple(found), tuple(common), listing.most > 0, last)
        last = rolled or key
        (found if rolled is None else common).append(last)
    return Page(tuple(found), tuple(common), False, last)


def _rolled(listing: Listing, key: str) -> str | None:
    """The common prefix that a key is listed under, if it is."""
    if not listing.delimiter:
        return None
    at = key.find(listing.delimiter, len(listing.prefix))
    return None if at < 0 else key[: at + len(listing.delimiter)]


def said_in_xml(listing: Listing, page: Page, stored: Mapping[str, Stored | None]) -> bytes:
    """`stored` are the objects of the page; one that has gone in the meantime is left out."""

    def text(value: str) -> str:
        return escaped(quote(value, safe="/") if listing.encoded else value)

    parts = [
        f"<Name>{escaped(listing.bucket)}</Name><Prefix>{text(listing.prefix)}</Prefix>"
        f"<MaxKeys>{listing.most}</MaxKeys><IsTruncated>{str(page.truncated).lower()}</IsTruncated>"
    ]
    if listing.delimiter:
        parts.append(f"<Delimiter>{text(listing.delimiter)}</Delimiter>")
    if listing.encoded:
        parts.append("<EncodingType>url</EncodingType>")
    if listing.second:
        parts += _second(listing, page)
    else:
        parts.append(f"<Marker>{text(listing.after)}</Marker>")
        if page.truncated and listing.delimiter:  # else the last key says it
            parts.append(f"<NextMarker>{text(page.last)}</NextMarker>")
    parts += (_content(text(key), found) for key in page.keys if (found := stored.get(key)) is not None)
    parts += (
        f"<CommonPrefixes><Prefix>{text(one)}</Prefix></CommonPrefixes>" for one in page.common_prefixes
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}">{"".join(parts)}'
    return f"{body}</ListBucketResult>".encode()


def _second(listing: Listing, page: Page) -> list[str]:
    parts = [f"<KeyCount>{len(page.keys) + len(page.common_prefixes)}</KeyCount>"]
    if listing.token is not None:
        parts.append(f"<ContinuationToken>{escaped(listing.token)}</ContinuationToken>")
    if listing.start_after is not None:
        parts.append(f"<StartAfter>{escaped(listing.start_after)}</StartAfter>")
    if page.truncated:
        parts.append(f"<NextContinuationToken>{escaped(page.last)}</NextContinuationToken>")
    return parts


def _content(key: str, found: Stored) -> str:
    etag = hashlib.md5(found.content, usedforsecurity=False).hexdigest()
    modified = strftime("%Y-%m-%dT%H:%M:%S.000Z", gmtime(found.modified))
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        f"<Size>{len(found.content)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
