#!/usr/bin/env python3
"""Check a bundle of evidence from iam-ledger, a .zip or a folder: python3 -I verify_evidence.py BUNDLE [KEY]...

Of each log in it, in this order: its checkpoint (how many leaves there are, and their root) is signed by the KEY that its
keeper has published; the leaves told are in the tree of that root; each record is the one its leaf commits to, or an entry
says that it was erased; where all entries of somebody are claimed to be here, none is missing. What does not hold ends it,
with a line that says what, and status 1. It needs Python 3.9 and nothing else.
"""

from __future__ import annotations

import base64
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

FORMAT = "iam-ledger-evidence/2"
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]  # of the curve -x^2 + y^2 = 1 + D x^2 y^2 (mod P)
Told = dict[int, dict[str, Any]]  # leaves, or bodies, by position


def demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


# 1. The signature: Ed25519 (RFC 8032, 5.1) under a note (C2SP signed-note and tlog-checkpoint)
def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    d = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + d, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - d, -1, P) % P


def times(factor: int, point: Point) -> Point:
    if factor == 0:
        return 0, 1
    even = times(factor // 2, add(point, point))
    return add(even, point) if factor % 2 else even


def decode_point(raw: bytes) -> Point:
    odd, y = divmod(int.from_bytes(raw, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    demand(y < P and (x * x - square) % P == 0 and not (x == 0 and odd), "a key or a signature is no point")
    return (x if x % 2 == odd else P - x), y


def signed(key: bytes, text: bytes, signature: bytes) -> bool:
    demand(len(key) == 32 and len(signature) == 64, "a key has 32 bytes, and a signature 64")
    base = decode_point(b"\x58" + b"\x66" * 31)
    scalar = int.from_bytes(signature[32:], "little")
    challenge = int.from_bytes(sha512(signature[:32] + key + text).digest(), "little") % ORDER
    right = add(decode_point(signature[:32]), times(challenge, decode_point(key)))
    return scalar < ORDER and times(scalar, base) == right


def to_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def check_signature(note: str, keys: list[str]) -> tuple[str, int, bytes]:
    """The name of the log, its size and its root, as one of the keys has signed them."""
    text, _, line = note.partition("\n\n")
    origin, size, root = text.split("\n")
    signature = base64.b64decode(line.split(" ")[-1])[4:]
    for told in map(str.strip, keys):
        name, _, key = told.split("+", 2)
        raw = base64.b64decode(key)
        number = sha256(f"{name}\n".encode() + raw).digest()[:4]
        demand(told == f"{name}+{number.hex()}+{to_base64(raw)}", f"the key {name} is misspelt")
        if note == f"{text}\n\n— {name} {to_base64(number + signature)}\n" and name == origin:
            holds = raw[:1] == b"\x01" and signed(raw[1:], f"{text}\n".encode(), signature)
            demand(holds, f"the signature of {name} does not hold")
            return origin, int(size), base64.b64decode(root)
    raise ValueError(f"the checkpoint of {origin} is not signed by a key that was given")


# 2. The tree (RFC 6962, 2.1). Of whole parts of it that are not told there is the hash, named START+COUNT
def hash_of(log: dict[str, Any], start: int, count: int, leaves: Told) -> bytes:
    if f"{start}+{count}" in log["hashes"]:
        return bytes.fromhex(log["hashes"][f"{start}+{count}"])
    if count == 1:
        demand(str(start) in log["leaves"], f"entry {start}: neither its leaf is here nor a hash over it")
        leaf = log["leaves"][str(start)]
        leaves[start] = json.loads(leaf)
        return sha256(b"\x00" + leaf.encode()).digest()
    left = 2 ** ((count - 1).bit_length() - 1)  # the largest power of two that is less
    halves = hash_of(log, start, left, leaves) + hash_of(log, start + left, count - left, leaves)
    return sha256(b"\x01" + halves).digest()


# 3. The records. `erased` names of those that the law wanted gone the entry that says so
def check_records(account: str, log: dict[str, Any], files: dict[str, bytes], leaves: Told) -> Told:
    shown: Told = {}
    for at, salt in log["salts"].items():
        body = files.get(f"records/{account}-{at}.json", b"")
        hashed = sha256(bytes.fromhex(salt) + body).hexdigest()
        holds = len(salt) == 64 and hashed == leaves[int(at)]["commitment"]
        demand(holds, f"entry {at}: the record is missing, or not the one that was hashed")
        shown[int(at)] = json.loads(body)
    for at, by in log["erased"].items():
        native, record = shown[by]["origin"] == {"kind": "native"}, shown[by]["record"]
        erased = [one["position"] for one in (record["requestParameters"] or {}).get("records", [])]
        says = (record["eventSource"], record["eventName"]) == ("iam-ledger", "EraseRecords")
        holds = native and says and int(at) in erased and int(at) in leaves and int(at) < by
        demand(holds, f"entry {at}: entry {by} does not say that it was erased")
        shown[int(at)] = {"erasedBy": by}
    return shown


# 4. That none is missing. A leaf names its principal, by a pseudonym, and the position of the principal's entry before
def check_complete(claim: dict[str, Any], leaves: Told, shown: Told, size: int) -> str:
    start, stop, whose = claim["start"], claim["stop"], claim["principal"]
    demand(type(start) is type(stop) is int and 0 <= start < stop <= size, "there is no such stretch")
    inside, borders = list(range(start, stop)), ""
    if whose is not None:
        chain = [at for at in sorted(leaves) if at >= start and leaves[at]["principal"] == whose]
        inside = [at for at in chain if at < stop]
        demand(bool(inside), "there is no entry in it")
        after = chain[len(inside) : len(inside) + 1]
        before = None
        for at in inside + after:
            previous = leaves[at]["previous"]
            linked = previous == before or (before is None and previous < start)
            demand(linked, f"entry {previous} is missing")
            before = at
        rest = all(at in leaves for at in range(inside[-1] + 1, stop))
        demand(bool(after) or rest, "what came after the last one is not shown")
        first = leaves[inside[0]]["previous"]
        borders = f"; before: {moment(leaves, first)}; after: {moment(leaves, *after)}"
    for at in inside:
        demand(at in shown, f"entry {at} is missing")
    return f"complete: positions {start} to {stop - 1}, {whose or 'everybody'}: all {len(inside)} entries{borders}"


def moment(leaves: Told, at: int | None = None) -> str:
    """When the entry was recorded, if its leaf is told."""
    if at not in leaves:
        return "none" if at is None else f"entry {at}"
    return time.strftime("recorded %Y-%m-%dT%H:%M:%SZ", time.gmtime(leaves[at]["recordedAt"] // 1000))


def line_of(body: dict[str, Any]) -> str:
    if "erasedBy" in body:
        return f"its record was erased by entry {body['erasedBy']}"
    record, who = body["record"], body["record"].get("userIdentity") or {}
    outcome = record.get("errorCode") or "succeeded"
    return f"{record.get('eventTime')}  {record.get('eventName')} by {who.get('arn') or who.get('type')}: {outcome}"


def check_log(account: str, log: dict[str, Any], files: dict[str, bytes], keys: list[str]) -> Iterator[str]:
    origin, size, root = check_signature(log["checkpoint"], keys or [log["key"]])
    demand(origin.rpartition("/")[2] == account, f"the checkpoint is of the log {origin}")
    yield f"log {origin}: {size} entries, root {root.hex()}, signature holds"
    leaves: Told = {}
    demand(size > 0 and hash_of(log, 0, size, leaves) == root, "the leaves are not those of the log")
    right = all((leaf["account"], leaf["position"]) == (account, at) for at, leaf in leaves.items())
    demand(right and len(leaves) == len(log["leaves"]), "there is a leaf of another place")
    shown = check_records(account, log, files, leaves)
    for at, body in sorted(shown.items()):
        yield f"  {account}:{at}  {line_of(body)} ({moment(leaves, at)})"
    yield from (check_complete(claim, leaves, shown, size) for claim in log["complete"])


def verify(files: dict[str, bytes], keys: list[str]) -> Iterator[str]:
    """A line for each thing that holds. Raises where something does not, or can't be read."""
    told = json.loads(files["evidence.json"])
    demand(told["format"] == FORMAT, f"this is not {FORMAT}")
    known = {"evidence.json", "README.txt", "verify_evidence.py"}
    for account, log in told["logs"].items():
        known |= {f"records/{account}-{at}.json" for at in log["salts"]}
        yield from check_log(account, log, files, keys)
    demand(len(known) > 3, "there is no record in it")
    demand(files.keys() <= known, f"no part of the evidence: {', '.join(sorted(files.keys() - known))}")


def read_files(bundle: Path) -> dict[str, bytes]:
    if bundle.is_dir():
        found = (one for one in bundle.rglob("*") if one.is_file())
        return {one.relative_to(bundle).as_posix(): one.read_bytes() for one in found}
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
        demand(len(names) == len(set(names)), "two files of the bundle have one name")
        return {name: archive.read(name) for name in names}


def say(line: str) -> None:
    """What a record holds must not steer the terminal."""
    print("".join(one if one.isprintable() else ascii(one)[1:-1] for one in line))


def main(bundle: str, *keys: str) -> int:
    verdict = "VERIFIED, BUT NOT CLAIMED TO BE ALL"
    try:
        for line in verify(read_files(Path(bundle)), list(keys)):
            say(line)
            verdict = "VERIFIED" if line.startswith("complete: ") else verdict
    except Exception as error:
        say(f"WRONG  {error if isinstance(error, ValueError) else f'it cannot be read: {error!r}'}")
        verdict = "NOT VERIFIED"
    for line in NOT_CHECKED[bool(keys) :]:
        print(f"not checked: {line}")
    print(verdict)
    return int(verdict == "NOT VERIFIED")


NOT_CHECKED = [
    "whose key it is, for it came with the bundle: compare it with the published one, or give that after the bundle",
    "that what was recorded is true, and all that happened; that no other history bears a signature by the same key",
]

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if sys.argv[1:] else __doc__)
