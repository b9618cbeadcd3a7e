"""How much a file may ask of us before it is turned away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults leave ample room: CloudTrail delivers files of at most 50 MB and events of at most 1 MB."""

    record_bytes_max: int = MIB
    record_depth_max: int = 200  # orjson writes 254 levels, and a record is kept inside others
    whole_bytes_max: int = 16 * MIB  # inflated; a longer text is read record by record, and hardly slower
    inflated_bytes_max: int = 16 * GIB  # of all that a file holds
    inflated_ratio_max: int = 250  # inflated : packed, asked only beyond `ratio_bytes_min`
    ratio_bytes_min: int = 64 * MIB
    layers_max: int = 4  # a zip in a zip in a …
    members_max: int = 100_000  # of a zip
    batch_records_max: int = 1_000

    def __post_init__(self) -> None:
        if self.record_depth_max > 200:
            raise ValueError(f"record_depth_max is {self.record_depth_max}, more than 200 cannot be kept")
