"""Event ids grow, whatever the clock does and whoever gave the one before."""

import uuid

from ledger.authority.identifiers import EventIds

NOW = 1_764_000_000.123


def test_ids_are_uuids_of_version_7_with_the_time_in_front() -> None:
    number = uuid.UUID(EventIds().next(NOW))
    assert (number.version, number.variant) == (7, uuid.RFC_4122)
    assert number.int >> 80 == int(NOW * 1000)


def test_each_is_greater_than_all_before_within_a_millisecond_and_when_the_clock_is_set_back() -> None:
    ids = EventIds()
    given = [ids.next(NOW) for _ in range(10_000)] + [ids.next(NOW - 3_600) for _ in range(100)]
    assert given == sorted(given)
    assert len(set(given)) == len(given)


def test_what_another_writer_gave_is_not_gone_behind() -> None:
    ids, other = EventIds(), EventIds()
    theirs = other.next(NOW + 60)
    ids.saw(theirs)
    assert ids.next(NOW) > theirs


def test_an_id_of_another_kind_tells_nothing() -> None:
    ids = EventIds()
    ids.saw("no uuid")
    ids.saw("ffffffff-ffff-4fff-bfff-ffffffffffff")
    assert uuid.UUID(ids.next(NOW)).int >> 80 == int(NOW * 1000)
