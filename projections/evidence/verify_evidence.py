#!/usr/bin/env python3
"""Check a bundle of evidence that iam-ledger has written.

    python3 -I verify_evidence.py BUNDLE [--key KEY]...

BUNDLE is the .zip or the folder. KEY is the public half of the key that signs for a log, as its keeper has published it;
without one, the key that lies in the bundle is believed, and that is said. Nothing but Python's own library is needed,
nothing is fetched, nothing is written. The status is 0 where all that the bundle claims holds, 1 where it does not, 2
where there is nothing to check.

What is checked, and where it is laid down: the signature under each checkpoint (C2SP signed-note, Ed25519 of RFC 8032);
that each record is the one its leaf commits to, SHA-256(salt, record); that each leaf is in the tree of that checkpoint
(RFC 6962, 2.1; RFC 9162, 2.1.3.2); and that a chain of leaves which is claimed to be whole has no gap.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import zipfile
from hashlib import sha256, sha512
from typing import Any

FORMAT = "iam-ledger-evidence/1"
UNCHECKED = ("README.txt", "verify_evidence.py")
Files = dict[str, bytes]


class Wrong(Exception):
    """Something does not hold; the message says what."""


def demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


# ---- Ed25519: RFC 8032, 5.1. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def add(a: Point, b: Point) -> Point:
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, z - t, z + t, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = add(total, point)
        point, factor = add(point, point), factor >> 1
    return total


def decode_point(raw: bytes) -> Point:
    odd, y = divmod(int.from_bytes(raw, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    demand(y < P and (x * x - square) % P == 0 and not (x == 0 and odd), "a key or a signature is no point")
    x = x if x & 1 == odd else P - x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key: bytes, text: bytes, signature: bytes) -> bool:
    """Whether the signature of the text is by the key."""
    demand(len(key) == 32 and len(signature) == 64, "a key has 32 bytes, and a signature 64")
    scalar = int.from_bytes(signature[32:], "little")
    challenge = int.from_bytes(sha512(signature[:32] + key + text).digest(), "little") % ORDER
    left = times(scalar, BASE)
    right = add(decode_point(signature[:32]), times(challenge, decode_point(key)))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P
    return scalar < ORDER and same


# ---- the checkpoint: whose log, how many leaves, their root; and under it the signature


def check_checkpoint(note: bytes, key: str, account: str) -> tuple[int, bytes]:
    """The size and the root that the key has signed for the account's log."""
    name, number, told = (key[:-1] if key.endswith("\n") else key).split("+", 2)
    kind_and_key = decode(told)
    demand(kind_and_key[:1] == b"\x01", f"the key {name} is not one of Ed25519")
    named = sha256(name.encode() + b"\n" + kind_and_key).digest()[:4]
    demand(named.hex() == number, f"the key {name} is not written as it should be")
    text, gap, below = note.rpartition(b"\n\n")
    text += b"\n"
    demand(bool(gap) and below.endswith(b"\n"), "the checkpoint is no signed note")
    signatures = [line.split(" ") for line in below.decode()[:-1].split("\n")]
    by_key = [decode(line[2]) for line in signatures if len(line) == 3 and line[:2] == ["—", name]]
    by_key = [one[4:] for one in by_key if one[:4] == named]
    demand(bool(by_key), f"the checkpoint is not signed by the key {name}")
    demand(
        all(signed(kind_and_key[1:], text, one) for one in by_key), f"the signature of {name} does not hold"
    )
    origin, size, root = text.decode().split("\n")[:3]
    demand(origin == name and origin.rpartition("/")[2] == account, f"the checkpoint is of the log {origin}")
    return int(size), decode(root)


def check_by_any(keys: list[str], note: bytes, account: str) -> tuple[int, bytes]:
    """A ledger may have had several keys, and one of them has signed."""
    for key in keys[:-1]:
        try:
            return check_checkpoint(note, key, account)
        except Wrong:
            continue
    return check_checkpoint(note, keys[-1], account)


def decode(told: str) -> bytes:
    raw = base64.b64decode(told, validate=True)
    demand(base64.b64encode(raw).decode() == told, "it is no Base64")
    return raw


# ---- the tree


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def hashes_of(told: list[str]) -> list[bytes]:
    found = [bytes.fromhex(one) for one in told]
    demand(all(len(one) == 32 for one in found), "a hash has 32 bytes")
    return found


def check_inclusion(found: bytes, proof: list[bytes], root: bytes, index: int, size: int) -> None:
    demand(0 <= index < size, f"the checkpoint does not cover position {index}")
    last = size - 1
    for sibling in proof:
        demand(last > 0, "the proof is too long")
        if index & 1 or index == last:
            found = node(sibling, found)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            found = node(found, sibling)
        index, last = index >> 1, last >> 1
    demand(last == 0 and found == root, "it is not in the log of the checkpoint")


def root_of(cover: list[bytes], leaves: list[bytes], size: int) -> bytes:
    """The root where all leaves but the first `size` are given, and those as the full subtrees that cover them."""
    demand(len(cover) == bin(size).count("1") and len(cover) + len(leaves) > 0, "the log is not covered")
    stack = list(cover)
    for leaf in leaves:
        found, count = leaf_hash(leaf), size
        while count & 1:
            found, count = node(stack.pop(), found), count >> 1
        stack.append(found)
        size += 1
    root = stack.pop()
    while stack:
        root = node(stack.pop(), root)
    return root


# ---- the bundle


def verify(files: Files, keys: list[str]) -> tuple[list[str], list[str]]:
    """What can be said of a bundle, and what is wrong with it: nothing, where it holds."""
    told = json.loads(files["evidence.json"])
    demand(told["format"] == FORMAT, f"this is not {FORMAT}")
    demand(type(told["entries"]) is type(told["complete"]) is list, "entries and claims are lists")
    said: list[str] = []
    wrong: list[str] = []
    heads: dict[str, tuple[int, bytes]] = {}
    leaves: dict[tuple[str, int], dict[str, Any]] = {}  # all that were found in the log
    shown: dict[tuple[str, int], dict[str, Any]] = {}  # those whose records are in the bundle
    erased: dict[tuple[str, int], int] = {}  # those whose records were erased, and the entry that says so
    bodies: dict[tuple[str, int], dict[str, Any]] = {}
    rests: dict[str, int] = {}  # from which position on all leaves of a log are given
    expected = {"evidence.json", *UNCHECKED}

    for account in sorted({one["account"] for one in told["entries"]}):
        expected |= {f"checkpoints/{account}.txt", f"keys/{account}.txt"}
        with_us = [key for key in keys if key.split("+")[0].rpartition("/")[2] == account]
        try:
            demand(bool(with_us) or not keys, "none of the keys that were given is of this log")
            note = files[f"checkpoints/{account}.txt"]
            size, root = heads[account] = check_by_any(
                with_us or [files[f"keys/{account}.txt"].decode()], note, account
            )
            name = note.decode().split("\n")[0]
            said.append(f"log {name}: {size} entries, root {root.hex()}, signature holds")
            if account in told["rest"]:
                expected.add(f"leaves/{account}.txt")
                read_rest(told["rest"][account], files[f"leaves/{account}.txt"], account, heads, leaves)
                rests[account] = told["rest"][account]["start"]
        except Exception as error:
            wrong.append(f"log of account {account}: {reason(error)}")

    records = [one for one in told["entries"] if "salt" in one]
    for one in told["entries"]:
        place = (one["account"], one["position"])
        name = f"records/{place[0]}-{place[1]}.json"
        try:
            demand(place[0] in heads, "its log has no checkpoint that holds")
            size, root = heads[place[0]]
            raw = one["leaf"].encode()
            check_inclusion(leaf_hash(raw), hashes_of(one["proof"]), root, place[1], size)
            leaf = json.loads(raw)
            at_home = (leaf["account"], leaf["position"]) == place and type(place[1]) is int
            demand(at_home, "its leaf is of another place")
            leaves[place] = leaf
            if "salt" in one:
                demand(place not in shown, "it is there twice")
                expected.add(name)
                hashed = sha256(bytes.fromhex(one["salt"]) + files[name]).hexdigest()
                demand(
                    len(one["salt"]) == 64 and hashed == leaf["commitment"],
                    "the record is not the one that was hashed",
                )
                bodies[place] = json.loads(files[name])
                shown[place] = bodies[place]["record"]
            elif "erasedBy" in one:
                erased[place] = one["erasedBy"]
        except Exception as error:
            wrong.append(f"{place[0]}:{place[1]}: {reason(error)}")
    said.append(
        f"{len(shown)}/{len(records)} verified: the record is the one that was hashed, and it is in the log"
    )
    for place in sorted(shown):
        said.append(f"  {place[0]}:{place[1]}  {line_of(shown[place], leaves[place])}")

    for (account, position), by in sorted(erased.items()):
        try:
            check_erased(bodies.get((account, by), {}), position, by)
            shown[account, position] = {}
            said.append(f"  {account}:{position}  its record was erased by entry {account}:{by}")
        except Exception as error:
            wrong.append(f"{account}:{position}: {reason(error)}")

    if not records:
        wrong.append("there is no record in it")
    for claim in told["complete"]:
        whose = "everybody" if claim["principal"] is None else f"principal {claim['principal']}"
        where = f"account {claim['account']}, positions {claim['start']} to {claim['stop'] - 1}"
        try:
            size = heads[claim["account"]][0]
            said.append(f"complete: {where}, {whose}: {check_complete(claim, leaves, shown, rests, size)}")
        except Exception as error:
            wrong.append(f"not complete: {where}, {whose}: {reason(error)}")
    if not told["complete"]:
        said.append("not claimed: that these are all; there may be other entries that are not shown")
    wrong += [f"{name}: it is no part of the evidence" for name in sorted(files.keys() - expected)]
    return said, wrong


def check_erased(body: dict[str, Any], position: int, by: int) -> None:
    """That the entry with this body, at the later position `by`, says that it erased the record at `position`."""
    record = body.get("record", {})
    demand(
        (record.get("eventSource"), record.get("eventName")) == ("iam-ledger", "EraseRecords")
        and body["origin"] == {"kind": "native"}
        and position < by
        and position in [one["position"] for one in record["requestParameters"]["records"]],
        f"its record is missing, and no entry {by} is shown that says that it was erased",
    )


def read_rest(
    told: dict[str, Any],
    raw: bytes,
    account: str,
    heads: dict[str, tuple[int, bytes]],
    leaves: dict[tuple[str, int], dict[str, Any]],
) -> None:
    size, root = heads[account]
    lines = raw.split(b"\n")
    demand(0 <= told["start"] <= size == told["start"] + len(lines), "these are not the last leaves")
    demand(
        root_of(hashes_of(told["cover"]), lines, told["start"]) == root,
        "the last leaves are not those of the log",
    )
    for position, line in enumerate(lines, told["start"]):
        leaf = leaves[account, position] = json.loads(line)
        demand((leaf["account"], leaf["position"]) == (account, position), "a last leaf is of another place")


def check_complete(
    claim: dict[str, Any],
    leaves: dict[tuple[str, int], dict[str, Any]],
    shown: dict[tuple[str, int], dict[str, Any]],
    rests: dict[str, int],
    size: int,
) -> str:
    """That all entries of a principal from `start` up to and without `stop` are shown; of everybody, where it is null.

    Each leaf names the position of the principal's entry before. So from the one after the stretch, or from the last one
    of the log, the chain is walked back to the first before it.
    """
    account, whose, start, stop = (claim[name] for name in ("account", "principal", "start", "stop"))
    demand(type(start) is type(stop) is int and 0 <= start < stop <= size, "there is no such stretch")
    if whose is None:
        for position in range(start, stop):
            demand((account, position) in shown, f"{account}:{position} is missing")
        return f"all {stop - start} entries are here"
    demand(
        bytes.fromhex(whose).hex() == whose, "it is no pseudonym"
    )  # two ways to write one would be two principals
    known = sorted(at for (of, at), leaf in leaves.items() if of == account and leaf["principal"] == whose)
    inside = [at for at in known if start <= at < stop]
    after = [at for at in known if at >= stop]
    before: int | None = inside[-1] if inside else None
    if after:
        before = leaves[account, after[0]]["previous"]
    elif before != stop - 1:  # then it takes all leaves from there on to see that none is of the principal
        unseen = start if before is None else before + 1
        demand(rests.get(account, size) <= unseen, "what came after the last one is not shown")
    walked = []
    while before is not None and before >= start:
        at = before
        demand((account, at) in shown, f"{account}:{at} is missing")
        demand(leaves[account, at]["principal"] == whose, f"{account}:{at} is of another principal")
        walked.append(at)
        before = leaves[account, at]["previous"]
        demand(before is None or before < at, f"{account}:{at} names no earlier one")
    demand(bool(walked) and walked[::-1] == inside, "the entries are not one chain")
    borders = "none came before" if before is None and (after or inside) else ""
    if before is not None and (account, before) in leaves:
        borders = f"the one before was recorded {moment(leaves[account, before]['recordedAt'])}"
    if after:
        borders += f"{borders and ', '}the one after {moment(leaves[account, after[0]]['recordedAt'])}"
    elif stop == size:
        borders += f"{borders and ', '}none came after, up to the checkpoint"
    callers = sorted({caller_of(shown[account, at]) for at in walked if shown[account, at]})
    named = f" ({callers[0]}{f' and {len(callers) - 1} more' if callers[1:] else ''})" if callers else ""
    return f"all {len(walked)} entries{named} are here" + (borders and f"; {borders}")


# ---- what is read, and what is printed


def moment(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds // 1000))


def caller_of(record: dict[str, Any]) -> str:
    who = record.get("userIdentity") or {}
    return str(who.get("arn") or who.get("principalId") or who.get("invokedBy") or who.get("type"))


def line_of(record: dict[str, Any], leaf: dict[str, Any]) -> str:
    outcome = record.get("errorCode") or "succeeded"
    called = f"{record.get('eventTime')}  {record.get('eventName')} by {caller_of(record)}: {outcome}"
    return f"{called} (recorded {moment(leaf['recordedAt'])})"


def reason(error: Exception) -> str:
    if isinstance(error, Wrong):
        return str(error)
    return f"it can't be read ({type(error).__name__}: {error})"


def printable(text: str) -> str:
    """A record holds what attackers chose to send, and must not steer the terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def read_bundle(path: str) -> Files:
    if os.path.isdir(path):
        found = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        files = {}
        for one in found:
            with open(one, "rb") as opened:
                files[os.path.relpath(one, path).replace(os.sep, "/")] = opened.read()
        return files
    with zipfile.ZipFile(path) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
        demand(len(names) == len(set(names)), "two files of the bundle have one name")
        return {name: archive.read(name) for name in names}


def main(words: list[str]) -> int:
    keys = [words[at + 1] for at in range(len(words) - 1) if words[at] == "--key"]
    paths = [word for at, word in enumerate(words) if word != "--key" and words[at - 1 : at] != ["--key"]]
    if len(paths) != 1 or words[-1:] == ["--key"] or paths[0].startswith("-"):
        print("python3 -I verify_evidence.py BUNDLE [--key KEY]...", file=sys.stderr)
        return 2
    try:
        files = read_bundle(paths[0])
    except Exception as error:
        print(f"{printable(paths[0])}: {printable(reason(error))}", file=sys.stderr)
        return 2
    try:
        said, wrong = verify(files, keys)
    except Exception as error:
        said, wrong = [], [f"evidence.json: {reason(error)}"]
    for line in said:
        print(printable(line))
    if not keys:
        print(BELIEVED)
    print(BEYOND)
    for line in wrong:
        print(f"WRONG  {printable(line)}")
    whole = any(line.startswith("complete: ") for line in said)
    print("NOT VERIFIED" if wrong else "VERIFIED" if whole else "VERIFIED, BUT NOT CLAIMED TO BE ALL")
    return 1 if wrong else 0


BELIEVED = """not checked: whose key it is. It came with the bundle; compare it with the one that was published, or give that one
  with --key. Whoever makes a bundle can make a key."""
BEYOND = """not checked: that what was recorded is true; that the recorder told each principal apart from all others, and
  recorded everything; that no other history was signed with the same key (compare with a checkpoint that somebody else
  kept); what README.txt and evidence.json say was asked for."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
