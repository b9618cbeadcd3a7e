"""Permissions policies as whoever wrote them laid them out.

AWS gives a permissions policy back with the white space that it came with, and a trust policy without any. The account
keeps what a document says; how it was put stands in the request that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ledger.account.texts import read_policy
from projections.investigation import Investigation


def as_written(
    ledger: Investigation, account_id: str, worded_by: int, output: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The output of GetPolicyVersion, GetUserPolicy and its kin, with the text of the entry at `worded_by`.

    Where that entry tells no such text, as one that brought a snapshot, the output stays as it is.
    """
    entry = ledger.log.entry(account_id, worded_by)
    asked = {} if entry is None else entry.document.get("requestParameters") or {}
    text = asked.get("policyDocument")
    if not isinstance(text, str):
        return output
    if "PolicyVersion" in output:
        version = output["PolicyVersion"]
        return {**output, "PolicyVersion": {**version, "Document": _same(version["Document"], text)}}
    return {**output, "PolicyDocument": _same(output["PolicyDocument"], text)}


def _same(told: str, text: str) -> str:
    return quote(text, safe="") if read_policy(text) == read_policy(told) else told
