"""The policies of AWS: their text at any time, and where that is doubtful."""

from ledger.account.managed_policies import (
    PREFIX,
    doubtful,
    known_until,
    managed_policy,
    policy_arns,
    versions,
)
from ledger.record import parse_time

SSM = f"{PREFIX}AmazonSSMManagedInstanceCore"  # v1 from 2019-03-15T17:22:12, v2 from 2019-05-23T16:54:21
MISDATED = f"{PREFIX}AWSAccountActivityAccess"  # its v3 carries the date of its v1


def version_at(arn: str, time: str) -> str | None:
    found = managed_policy(arn, parse_time(time))
    return None if found is None else found.version_id


def test_the_version_in_force_is_the_latest_of_its_time() -> None:
    assert version_at(SSM, "2019-03-15T17:22:11Z") is None
    assert version_at(SSM, "2019-03-15T17:22:12Z") == "v1"
    assert version_at(SSM, "2019-05-23T16:54:20Z") == "v1"
    assert version_at(SSM, "2019-05-23T16:54:21Z") == "v2"
    assert [version.version_id for version in versions(SSM)] == ["v1", "v2"]


def test_a_text_is_the_whole_policy() -> None:
    found = managed_policy(f"{PREFIX}AdministratorAccess", parse_time("2023-07-10T12:00:00Z"))
    assert found is not None
    assert isinstance(found.document, dict)
    assert found.document["Statement"] == [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    assert found.made_by is None


def test_of_policies_that_nobody_knows_nothing_is_said() -> None:
    assert managed_policy(f"{PREFIX}NoSuchPolicy", parse_time("2023-07-10T12:00:00Z")) is None
    assert managed_policy("arn:aws:iam::111122223333:policy/own", 0) is None
    assert managed_policy("arn:aws-cn:iam::aws:policy/AdministratorAccess", 2**31) is None
    assert doubtful(f"{PREFIX}NoSuchPolicy", parse_time("2023-07-10T12:00:00Z"))


def test_what_the_data_cannot_know_is_doubtful() -> None:
    assert doubtful(SSM, parse_time("2019-03-15T17:22:11Z"))
    assert not doubtful(SSM, parse_time("2023-07-10T12:00:00Z"))
    assert doubtful(SSM, known_until() + 1)


def test_a_version_with_a_wrong_date_follows_its_predecessor_and_is_doubtful() -> None:
    assert [version.create_date is None for version in versions(MISDATED)] == [False, False, True]
    assert version_at(MISDATED, "2023-03-08T00:00:00Z") == "v3"
    assert doubtful(MISDATED, parse_time("2023-03-08T00:00:00Z"))
    assert version_at(MISDATED, "2023-03-07T00:00:00Z") == "v1"


def test_every_policy_of_the_data_can_be_read() -> None:
    assert len(policy_arns()) == 1594
    for arn in policy_arns():
        dates = [version.create_date for version in versions(arn) if version.create_date is not None]
        assert dates == sorted(dates)
        assert dates
        assert all(isinstance(version.document, dict) for version in versions(arn))
