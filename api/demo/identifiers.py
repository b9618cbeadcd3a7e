"""Identifiers as AWS makes them, out of one seed: the same seed gives the same day, byte for byte."""

import base64
import random
import string

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CAPITALS = string.ascii_uppercase + string.digits
_LETTERS = string.ascii_letters + string.digits


class Identifiers:
    """A source of identifiers that never gives one twice (64 random bits and more in each)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def uuid(self) -> str:
        """A version 4 UUID: event ids, most request ids."""
        bits = self.random.getrandbits(128) & ~(0xF << 76) | (0x4 << 76)
        bits = bits & ~(0x3 << 62) | (0x2 << 62)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def unique_id(self, prefix: str, account_id: str) -> str:
        """`AIDA…`, `AROA…`, `ANPA…`: 21 characters; the account number can be read from them."""
        return prefix + self._of_account(account_id) + self.random.choice(_BASE32)

    def key_id(self, prefix: str, account_id: str) -> str:
        """`AKIA…`, `ASIA…`: 20 characters, of which `sts:GetAccessKeyInfo` reads the account number."""
        return prefix + self._of_account(account_id)

    def resource(self, prefix: str) -> str:
        """`i-0…`, `vol-0…`, `ami-0…`: a zero and 16 hexadecimal digits."""
        return f"{prefix}-0{self.random.getrandbits(64):016x}"

    def session_token(self) -> str:
        """Looks like a secret, is noise: what an importer must never store as it came."""
        noise = base64.b64encode(self.random.randbytes(432)).decode()
        return f"IQoJb3JpZ2luX2VjE{noise}"

    def encoded_failure(self) -> str:
        """What EC2 used to append instead of a reason."""
        return base64.urlsafe_b64encode(self.random.randbytes(300)).decode()

    def capitals(self, size: int) -> str:
        return "".join(self.random.choices(_CAPITALS, k=size))

    def letters(self, size: int) -> str:
        return "".join(self.random.choices(_LETTERS, k=size))

    def hexadecimal(self, size: int) -> str:
        return f"{self.random.getrandbits(4 * size):0{size}x}"

    def extended_request_id(self) -> str:
        """S3's second request id, `x-amz-id-2`."""
        return base64.b64encode(self.random.randbytes(56)).decode()

    def _of_account(self, account_id: str) -> str:
        """16 characters of base32 whose first six bytes hold the account number, as in keys since 2019."""
        head = 1 << 47 | int(account_id) << 7 | self.random.getrandbits(7)
        return base64.b32encode(head.to_bytes(6) + self.random.randbytes(4)).decode()
