"""What AWS says of its actions."""

import time

import pytest

from ledger.policy.aws_actions import (
    AccessLevel,
    access_level,
    actions_matching,
    aws_action,
    condition_keys,
    is_action,
    known_until,
    resource_patterns,
    services,
)


def test_an_action_is_known_by_its_name_in_whatever_case() -> None:
    assert is_action("s3:GetObject")
    assert is_action("S3:getobject")
    assert not is_action("s3:ListObjects")
    assert not is_action("nothing:GetObject")
    assert not is_action("GetObject")
    found = aws_action("iam:createuser")
    assert found is not None
    assert found.name == "iam:CreateUser"


def test_access_levels_are_those_of_the_reference() -> None:
    assert access_level("s3:ListBucket") is AccessLevel.LIST
    assert access_level("s3:GetObject") is AccessLevel.READ
    assert access_level("s3:PutObject") is AccessLevel.WRITE
    assert access_level("iam:AttachUserPolicy") is AccessLevel.PERMISSIONS
    assert access_level("iam:TagRole") is AccessLevel.TAGGING
    assert access_level("s3:Nothing") is None


def test_resources_are_told_as_patterns_the_required_first() -> None:
    assert resource_patterns("iam:CreateUser") == (
        "arn:${Partition}:iam::${Account}:user/${UserNameWithPath}",
    )
    assert resource_patterns("iam:ListUsers") == ("*",)
    assert resource_patterns("s3:Nothing") == ()
    run = aws_action("ec2:RunInstances")
    assert run is not None
    required = {it.pattern for it in run.resource_types if it.required}
    assert set(resource_patterns("ec2:RunInstances")[: len(required)]) == required


def test_condition_keys_are_those_of_the_action_and_of_its_resources() -> None:
    assert {"iam:PassedToService", "iam:ResourceTag/${TagKey}"} <= condition_keys("iam:PassRole")
    assert "s3:prefix" in condition_keys("s3:ListBucket")
    assert condition_keys("s3:Nothing") == frozenset()


@pytest.mark.parametrize(
    ("pattern", "some", "none"),
    [
        ("s3:Get*", "s3:GetObject", "s3:PutObject"),
        ("S3:get*", "s3:GetBucketAcl", "s3:ListBucket"),
        ("*", "iam:PassRole", None),
        ("*:*", "iam:PassRole", None),
        ("iam:*", "iam:PassRole", "sts:AssumeRole"),
        ("ec2:Describe?pcs", "ec2:DescribeVpcs", "ec2:DescribeVpcPeeringConnections"),
        ("s*:GetObject", "s3:GetObject", "s3:GetObjectAcl"),
        ("iam:PassRole", "iam:PassRole", "iam:GetRole"),
    ],
)
def test_a_pattern_means_the_actions_that_it_matches(pattern: str, some: str, none: str | None) -> None:
    found = actions_matching(pattern)
    assert some in found
    assert none not in found


@pytest.mark.parametrize(
    "pattern", ["iam", "iam:", "", ":", "nothing:*", "s3:[Gg]etObject", "iam:PassRole*x"]
)
def test_a_pattern_may_mean_nothing(pattern: str) -> None:
    assert actions_matching(pattern) == ()


def test_every_action_is_in_the_answer_for_all_of_them_once() -> None:
    every = actions_matching("*")
    assert len(every) == len(set(every)) > 20_000
    assert {it.partition(":")[0] for it in every} == set(services())
    assert all(aws_action(it).name == it for it in every)  # type: ignore[union-attr]


def test_no_pattern_takes_for_ever() -> None:
    began = time.process_time()
    assert actions_matching("iam:" + "*a" * 40 + "*!") == ()
    assert time.process_time() - began < 2


def test_the_data_tells_its_day() -> None:
    assert known_until() >= "2026"
