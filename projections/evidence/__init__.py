"""Evidence: entries, and what a stranger needs to see for themselves that none was altered and none left out."""

from projections.evidence.bundle import ENTRIES_MAX, Files, TooMuch, make_bundle
from projections.evidence.choosing import (
    Chosen,
    Claim,
    NothingThere,
    chosen_activity,
    chosen_entries,
    chosen_stretch,
    positions_of,
)
from projections.evidence.heads import Heads
from projections.evidence.writing import EvidenceExists, digest_of, write_bundle, zipped

__all__ = [
    "ENTRIES_MAX",
    "Chosen",
    "Claim",
    "EvidenceExists",
    "Files",
    "Heads",
    "NothingThere",
    "TooMuch",
    "chosen_activity",
    "chosen_entries",
    "chosen_stretch",
    "digest_of",
    "make_bundle",
    "positions_of",
    "write_bundle",
    "zipped",
]
