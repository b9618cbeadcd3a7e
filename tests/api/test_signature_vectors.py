"""AWS's own signatures: the 38 cases of aws-c-auth, each in the header and in the query."""

import json
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from api.aws.canonical_request import RawRequest
from api.aws.signature import Signature, SignatureError, check, read_signature

CASES = 38
FORMS = ("header", "query")


@pytest.fixture(scope="module")
def suite(vectors: Path) -> dict[str, dict[str, str]]:
    """By case and file, what is in it."""
    found: dict[str, dict[str, str]] = {}
    with tarfile.open(vectors / "aws-sigv4.tar.gz") as archive:
        for member in archive:
            if (content := archive.extractfile(member)) is not None:
                _, case, file = member.name.split("/")
                found.setdefault(case, {})[file] = content.read().decode()
    return found


def wire(text: str) -> RawRequest:
    """A request as a file of the suite has it; a line that begins with a space continues the one before."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, _, rest = first.partition(" ")
    path, _, query = rest.removesuffix(" HTTP/1.1").partition("?")
    headers: list[tuple[bytes, bytes]] = []
    for line in filter(None, lines):
        if line[0].isspace():
            name, value = headers.pop()
            headers.append((name, value + b"\n" + line.encode()))
        else:
            told, _, value_text = line.partition(":")
            headers.append((told.encode(), value_text.encode()))
    return RawRequest(method, path.encode(), query.encode(), headers, body.encode())


def each(suite: dict[str, dict[str, str]]) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    for files in suite.values():
        for form in FORMS:
            yield form, files, json.loads(files["context.json"])


def read(form: str, files: dict[str, str], context: dict[str, Any], **others: Any) -> Signature:
    return read_signature(
        wire(files[f"{form}-signed-request.txt"]),
        service=context["service"],
        now=datetime.fromisoformat(context["timestamp"]).timestamp(),
        normalize=context["normalize"],
        **others,
    )


def test_every_signature_of_the_suite_is_accepted(suite: dict[str, dict[str, str]]) -> None:
    assert len(suite) == CASES
    for form, files, context in each(suite):
        found = read(form, files, context)
        assert files[f"{form}-string-to-sign.txt"].encode() in found.strings_to_sign
        assert found.signature == files[f"{form}-signature.txt"].strip()
        assert found.session_token == context["credentials"].get("token")
        check(found, context["credentials"]["secret_access_key"])


def test_with_another_secret_none_is(suite: dict[str, dict[str, str]]) -> None:
    for form, files, context in each(suite):
        with pytest.raises(SignatureError, match="does not match"):
            check(read(form, files, context), context["credentials"]["secret_access_key"] + "x")
