"""Machines that act as roles: what EC2's and ECS's records tell of them, AWS's own and ours."""

from typing import Any

import pytest

from ledger.account.entities import ProfileAssociation, TaskRole, Workload
from ledger.iam.deciding import DECISIONS, Call
from ledger.iam.ec2_instances import IncorrectState, InvalidAssociation, InvalidInstance, InvalidProfile
from ledger.iam.ecs_tasks import ClientError, InvalidTask
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import ACCOUNT, NOON, call, given

INSTANCE = "i-0123456789abcdef0"
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/team/web"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/web"
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"ec2.amazonaws.com"}}]}'
)
TAGS = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}]}]


def ec2(operation: str, request: dict[str, Any] | None, response: dict[str, Any] | None) -> dict[str, Any]:
    return call(operation, request, response, source="ec2.amazonaws.com")


def launched(profile: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    told = {} if profile is None else {"iamInstanceProfile": profile}
    return ec2(
        "RunInstances",
        {"instancesSet": {"items": [{"imageId": "ami-1", "minCount": 1, "maxCount": 1}]}} | more,
        {
            "instancesSet": {
                "items": [
                    {
                        "instanceId": INSTANCE,
                        "imageId": "ami-1",
                        "launchTime": NOON * 1000,
                        "placement": {"availabilityZone": "eu-west-1b"},
                    }
                    | told
                ]
            }
        },
    )


def associated(operation: str, profile_arn: str, profile_id: str) -> dict[str, Any]:
    """As CloudTrail wraps these calls."""
    return ec2(
        operation,
        {f"{operation}Request": {"IamInstanceProfile": {"Name": "web"}, "InstanceId": INSTANCE}},
        {
            f"{operation}Response": {
                "iamInstanceProfileAssociation": {
                    "associationId": "iip-assoc-1",
                    "instanceId": INSTANCE,
                    "iamInstanceProfile": {"arn": profile_arn, "id": profile_id},
                    "state": "associating",
                }
            }
        },
    )


def only(asked: Any) -> Workload:
    (found,) = asked.account.workloads.values()
    return found


def with_profiles(*names: str) -> Asked:
    asked = Asked()
    for name in names:
        asked("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST)
        asked("CreateInstanceProfile", InstanceProfileName=name)
        asked("AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=name)
    return asked


def run(asked: Asked, name: str = "web") -> str:
    told = asked("RunInstances", IamInstanceProfile={"Name": name}, TagSpecifications=TAGS)
    return str(told["Instances"][0]["InstanceId"])


# ---- what AWS's records tell


def test_an_instance_launched_with_a_profile_has_it() -> None:
    told = given(launched({"arn": PROFILE, "id": "AIPA1"}))
    assert only(told) == Workload(
        id=INSTANCE,
        name=INSTANCE,
        create_date=NOON,
        created_by=told.position,
        availability_zone="eu-west-1b",
        image_id="ami-1",
        runs_as=ProfileAssociation("iip-assoc-0123456789abcdef0", PROFILE, "AIPA1", told.position),
    )
    assert told.reasons == []


def test_a_profile_that_only_the_request_names_counts_too() -> None:
    told = given(launched(iamInstanceProfile={"name": "web"}))
    assert only(told).runs_as == ProfileAssociation(
        "iip-assoc-0123456789abcdef0", f"arn:aws:iam::{ACCOUNT}:instance-profile/web", None, told.position
    )


def test_an_instance_without_a_profile_is_not_kept() -> None:
    assert not given(launched()).account.workloads


def test_a_profile_is_given_replaced_and_taken_away() -> None:
    told = given(launched({"arn": PROFILE, "id": "AIPA1"}))
    told.when(associated("ReplaceIamInstanceProfileAssociation", f"{PROFILE}2", "AIPA2"))
    association = ProfileAssociation("iip-assoc-1", f"{PROFILE}2", "AIPA2", told.position)
    assert only(told).runs_as == association
    told.when(associated("DisassociateIamInstanceProfile", f"{PROFILE}2", "AIPA2"))
    assert only(told).runs_as is None
    told.when(associated("AssociateIamInstanceProfile", PROFILE, "AIPA1"))
    assert only(told).runs_as == ProfileAssociation("iip-assoc-1", PROFILE, "AIPA1", told.position)
    told.when(ec2("TerminateInstances", {"instancesSet": {"items": [{"instanceId": INSTANCE}]}}, None))
    assert not told.account.workloads
    assert told.reasons == []


def test_an_instance_from_before_the_log_is_known_by_its_association() -> None:
    told = given(associated("AssociateIamInstanceProfile", PROFILE, "AIPA1"))
    assert (only(told).id, only(told).created_by) == (INSTANCE, None)
    assert not given(associated("DisassociateIamInstanceProfile", PROFILE, "AIPA1")).account.workloads


def test_a_task_has_the_role_that_the_call_gave_it() -> None:
    task = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/default/0123456789abcdef"
    request = {"taskDefinition": "web", "overrides": {"taskRoleArn": ROLE}}
    told = given(call("RunTask", request, {"tasks": [{"taskArn": task}]}, source="ecs.amazonaws.com"))
    assert only(told).runs_as == TaskRole(ROLE, told.position)
    told.when(call("StopTask", {"task": "0123"}, {"task": {"taskArn": task}}, source="ecs.amazonaws.com"))
    assert not told.account.workloads
    other = call(
        "RunTask", {"taskDefinition": "web"}, {"tasks": [{"taskArn": task}]}, source="ecs.amazonaws.com"
    )
    assert not given(other).account.workloads


# ---- what is decided


def test_a_machine_is_registered_with_a_profile_as_ec2_records_it() -> None:
    asked = with_profiles("web")
    instance_id = run(asked)
    found = only(asked)
    profile = asked.account.instance_profile_named("web")
    assert profile is not None
    assert (found.id, found.name, found.created_by) == (instance_id, "web-1", asked.position)
    assert isinstance(found.runs_as, ProfileAssociation)
    assert (found.runs_as.profile_arn, found.runs_as.profile_id) == (profile.arn, profile.id)
    assert asked.record["eventSource"] == "ec2.amazonaws.com"
    assert asked.record["requestParameters"]["iamInstanceProfile"] == {"name": "web"}


def test_a_machine_s_profile_is_replaced_taken_away_and_given_again() -> None:
    asked = with_profiles("web", "batch")
    instance_id = run(asked)
    runs_as = only(asked).runs_as
    assert isinstance(runs_as, ProfileAssociation)
    named = {"Name": "batch"}
    told = asked("ReplaceIamInstanceProfileAssociation", AssociationId=runs_as.id, IamInstanceProfile=named)
    association_id = told["IamInstanceProfileAssociation"]["AssociationId"]
    assert association_id != runs_as.id
    told_request = asked.record["requestParameters"]["ReplaceIamInstanceProfileAssociationRequest"]
    assert told_request == {"AssociationId": runs_as.id, "IamInstanceProfile": named}
    with refused(InvalidAssociation, f"An invalid association-id of '{runs_as.id}' was given"):
        asked("DisassociateIamInstanceProfile", AssociationId=runs_as.id)
    with refused(IncorrectState, f"There is an existing association for instance {instance_id}"):
        asked("AssociateIamInstanceProfile", InstanceId=instance_id, IamInstanceProfile=named)
    asked("DisassociateIamInstanceProfile", AssociationId=association_id)
    assert only(asked).runs_as is None
    asked("AssociateIamInstanceProfile", InstanceId=instance_id, IamInstanceProfile={"Name": "web"})
    assert isinstance(only(asked).runs_as, ProfileAssociation)
    asked("TerminateInstances", InstanceIds=[instance_id])
    assert not asked.account.workloads


def test_what_is_not_there_is_refused_in_ec2_s_words() -> None:
    asked = with_profiles("web")
    invalid = "Value (no) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    with refused(InvalidProfile, invalid):
        run(asked, "no")
    with refused(
        InvalidProfile,
        f"Value ({PROFILE}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN",
    ):
        asked("RunInstances", IamInstanceProfile={"Arn": PROFILE})
    for operation, more in (
        ("AssociateIamInstanceProfile", {"InstanceId": INSTANCE, "IamInstanceProfile": {"Name": "web"}}),
        ("TerminateInstances", {"InstanceIds": [INSTANCE]}),
    ):
        with refused(InvalidInstance, f"The instance ID '{INSTANCE}' does not exist"):
            asked(operation, **more)


@pytest.mark.parametrize(
    ("action", "parameters", "resource"),
    [
        (
            "ec2:RunInstances",
            {"IamInstanceProfile": {"Name": "web"}, "Placement": {"AvailabilityZone": "eu-west-1b"}},
            f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/*",
        ),
        (
            "ec2:AssociateIamInstanceProfile",
            {"IamInstanceProfile": {"Name": "web"}, "InstanceId": INSTANCE},
            f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{INSTANCE}",
        ),
        (
            "ecs:RunTask",
            {"TaskDefinition": "web", "Overrides": {"TaskRoleArn": ROLE}},
            f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/web:*",
        ),
    ],
)
def test_giving_a_machine_a_role_is_passing_the_role(
    action: str, parameters: dict[str, Any], resource: str
) -> None:
    asked, decision = with_profiles("web"), DECISIONS[action]
    question = Call(action, parameters, ROOT_BEARER)
    assert decision.on(asked.account, question) == resource
    assert decision.also is not None
    assert list(decision.also(asked.account, question)) == [("iam:PassRole", ROLE)]


def test_a_task_is_run_with_a_role_and_stopped() -> None:
    asked = with_profiles("web")
    told = asked("RunTask", TaskDefinition="web-2", Overrides={"TaskRoleArn": ROLE}, Tags=[])
    task_arn = told["tasks"][0]["taskArn"]
    assert only(asked).id == task_arn
    assert only(asked).runs_as == TaskRole(ROLE, asked.position)
    asked("StopTask", Task=task_arn)
    assert not asked.account.workloads
    with refused(InvalidTask, "The referenced task was not found."):
        asked("StopTask", Task=task_arn)
    with refused(ClientError, "Role is not valid"):
        asked("RunTask", TaskDefinition="web-2", Overrides={"TaskRoleArn": f"{ROLE}2"})
