"""EC2 instances, as far as IAM is concerned: which instance profile each has, and so which role it acts as.

Of EC2's operations only those stand here that give an instance a profile or take it away; an instance that never had one
is not kept. Source: Amazon EC2 API reference; the forms of the records are those of CloudTrail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.change import Change, Members
from ledger.account.entities import InstanceProfile, Kind, ProfileAssociation, Workload
from ledger.iam.deciding import Answer, Call, Moment, Question, decides
from ledger.iam.operations import Rank, evolves
from ledger.iam.refusals import Refusal

DEFAULT_ZONE: Final = "us-east-1a"
NO_IMAGE: Final = "ami-00000000000000000"  # a machine that is registered was not made from any
XML_NAMESPACE: Final = "http://ec2.amazonaws.com/doc/2016-11-15/"
PENDING: Final = {"code": 0, "name": "pending"}


class InvalidInstance(
    Refusal, status=400, code="InvalidInstanceID.NotFound", recorded="Client.InvalidInstanceID.NotFound"
): ...


class InvalidProfile(
    Refusal, status=400, code="InvalidParameterValue", recorded="Client.InvalidParameterValue"
): ...


class InvalidAssociation(
    Refusal, status=400, code="InvalidAssociationID.NotFound", recorded="Client.InvalidAssociationID.NotFound"
): ...


class IncorrectState(Refusal, status=400, code="IncorrectState", recorded="Client.IncorrectState"): ...


# ---- whom a call names


def instance_arn(account: Account, instance_id: str, zone: str | None) -> str:
    region = (zone or DEFAULT_ZONE)[:-1]
    return f"arn:aws:ec2:{region}:{account.id}:instance/{instance_id}"


def _new_instance(account: Account, call: Call) -> str:
    return instance_arn(account, "*", _zone(call))


def _zone(call: Call) -> str:
    zone: str = call.get("Placement", {}).get("AvailabilityZone") or DEFAULT_ZONE
    return zone


def _the_instance(account: Account, call: Call) -> str:
    instance_id = call["InstanceId"] if "InstanceId" in call else call["InstanceIds"][0]
    there = account.workloads.get(instance_id)
    return instance_arn(account, instance_id, None if there is None else there.availability_zone)


def _the_associated(account: Account, call: Call) -> str:
    found = _with_association(account, call["AssociationId"])
    return instance_arn(account, "*", None) if found is None else _arn_of(account, found)


def _arn_of(account: Account, instance: Workload) -> str:
    return instance_arn(account, instance.id, instance.availability_zone)


def _with_association(account: Account, association_id: str) -> Workload | None:
    for found in account.workloads.values():
        if isinstance(found.runs_as, ProfileAssociation) and found.runs_as.id == association_id:
            return found
    return None


def _named_profile(account: Account, named: Mapping[str, str]) -> InstanceProfile | None:
    """By name or ARN, as IamInstanceProfileSpecification has it."""
    arn = named.get("Arn")
    found = account.instance_profile_named(named.get("Name") or (arn or "").rpartition("/")[2])
    return found if found is not None and arn in (None, found.arn) else None


def _profile_there(account: Account, call: Call) -> InstanceProfile:
    named = call["IamInstanceProfile"]
    found = _named_profile(account, named)
    if found is not None:
        return found
    member, value = ("ARN", named["Arn"]) if "Arn" in named else ("name", named.get("Name"))
    raise InvalidProfile(
        f"Value ({value}) for parameter iamInstanceProfile.{member.lower()} is invalid. "
        f"Invalid IAM Instance Profile {member}"
    )


def passing_its_role(account: Account, call: Call) -> Iterable[Question]:
    """Whoever gives a machine a profile gives it the profile's role."""
    profile = _named_profile(account, call["IamInstanceProfile"])
    for role_id in () if profile is None else profile.roles:
        yield "iam:PassRole", account.roles[role_id].arn


# ---- a machine comes and goes


@decides("ec2:RunInstances", on=_new_instance, also=passing_its_role)
def decide_run_instances(account: Account, call: Call, moment: Moment) -> Answer:
    """One instance. There is no machine behind it but the one that fetches its credentials."""
    profile, zone = _profile_there(account, call), _zone(call)
    image_id, tags = call.get("ImageId", NO_IMAGE), _told_tags(call)
    instance = {
        "instanceId": f"i-{_hexadecimal(moment)}",
        "imageId": image_id,
        "instanceState": PENDING,
        "launchTime": moment.time * 1000,
        "placement": {"availabilityZone": zone},
        "iamInstanceProfile": {"arn": profile.arn, "id": profile.id},
        "tagSet": {"items": tags},
    }
    request = {
        "instancesSet": {"items": [{"imageId": image_id, "minCount": 1, "maxCount": 1}]},
        "iamInstanceProfile": _lower(call["IamInstanceProfile"]),
        "availabilityZone": zone,
        "tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": tags}]},
    }
    response = {"ownerId": account.id, "instancesSet": {"items": [instance]}}
    return Answer(
        {"Instances": [{"InstanceId": instance["instanceId"]}]},
        extra={"requestParameters": request, "responseElements": response},
    )


def _told_tags(call: Call) -> list[dict[str, str]]:
    return [_lower(tag) for told in call.get("TagSpecifications", ()) for tag in told["Tags"]]


@evolves("ec2:RunInstances", rank=Rank.CREATE)
def run_instances(account: Account, change: Change) -> Account:
    asked = change.request.within("iamInstanceProfile")
    tags = {
        key: value
        for told in change.request.each("tagSpecificationSet")
        for key, value in told.pairs("tags").items()
    }
    for told in change.response.each("instancesSet"):
        instance_id = told.text("instanceId")
        association = _association(account, change, told, asked)
        if instance_id is None or association is None:
            continue
        launched = told.date("launchTime")
        instance = Workload(
            id=instance_id,
            name=(tags | told.pairs("tagSet")).get("Name") or instance_id,
            create_date=change.time if launched is None else launched,
            created_by=change.position,
            availability_zone=told.within("placement").text("availabilityZone"),
            image_id=told.text("imageId"),
            runs_as=association,
        )
        there = account.workloads.get(instance_id)
        if there is not None:  # its association was told first
            instance = replace(instance, runs_as=there.runs_as)
        account = account.put(instance)
    return account


@decides("ec2:TerminateInstances", on=_the_instance)
def decide_terminate_instances(account: Account, call: Call, moment: Moment) -> Answer:
    (instance_id,) = call["InstanceIds"]
    _instance_there(account, instance_id)
    ids = {"instancesSet": {"items": [{"instanceId": instance_id}]}}
    output = {"TerminatingInstances": [{"InstanceId": instance_id}]}
    return Answer(output, extra={"requestParameters": ids, "responseElements": ids})


@evolves("ec2:TerminateInstances", rank=Rank.DELETE)
def terminate_instances(account: Account, change: Change) -> Account:
    for told in change.response.each("instancesSet") or change.request.each("instancesSet"):
        account = account.drop(Kind.WORKLOAD, told.text("instanceId") or "")
    return account


# ---- its profile


@decides("ec2:AssociateIamInstanceProfile", on=_the_instance, also=passing_its_role)
def decide_associate(account: Account, call: Call, moment: Moment) -> Answer:
    instance = _instance_there(account, call["InstanceId"])
    profile = _profile_there(account, call)
    if instance.runs_as is not None:
        raise IncorrectState(f"There is an existing association for instance {instance.id}")
    return _associated(call, instance.id, profile, f"iip-assoc-{_hexadecimal(moment)}", "associating")


@decides("ec2:ReplaceIamInstanceProfileAssociation", on=_the_associated, also=passing_its_role)
def decide_replace(account: Account, call: Call, moment: Moment) -> Answer:
    instance, _ = _association_there(account, call)
    profile = _profile_there(account, call)
    return _associated(call, instance.id, profile, f"iip-assoc-{_hexadecimal(moment)}", "associating")


@evolves("ec2:AssociateIamInstanceProfile", rank=Rank.GRANT)
def associate(account: Account, change: Change) -> Account:
    told = _told(change, "Response", change.response).within("iamInstanceProfileAssociation")
    asked = _told(change, "Request", change.request)
    instance_id = told.text("instanceId") or asked.needed("instanceId")
    association = _association(account, change, told, asked.within("iamInstanceProfile"))
    if association is None:
        return account
    there = account.workloads.get(instance_id) or Workload(
        id=instance_id, name=instance_id, create_date=None, created_by=None
    )
    return account.put(replace(there, runs_as=association))


evolves("ec2:ReplaceIamInstanceProfileAssociation", rank=Rank.CHANGE)(associate)


@decides("ec2:DisassociateIamInstanceProfile", on=_the_associated)
def decide_disassociate(account: Account, call: Call, moment: Moment) -> Answer:
    instance, there = _association_there(account, call)
    return _answer(call, instance.id, there.id, there.profile_arn, there.profile_id, "disassociating")


@evolves("ec2:DisassociateIamInstanceProfile", rank=Rank.REVOKE)
def disassociate(account: Account, change: Change) -> Account:
    """Of an instance that was launched before the log begins nothing is known, and nothing is lost."""
    told = _told(change, "Response", change.response).within("iamInstanceProfileAssociation")
    there = account.workloads.get(told.needed("instanceId"))
    return account if there is None else account.put(replace(there, runs_as=None))


def _instance_there(account: Account, instance_id: str) -> Workload:
    found = account.workloads.get(instance_id)
    if found is None or not found.is_instance:
        raise InvalidInstance(f"The instance ID '{instance_id}' does not exist")
    return found


def _association_there(account: Account, call: Call) -> tuple[Workload, ProfileAssociation]:
    found = _with_association(account, call["AssociationId"])
    if found is None or not isinstance(found.runs_as, ProfileAssociation):
        raise InvalidAssociation(f"An invalid association-id of '{call['AssociationId']}' was given")
    return found, found.runs_as


# ---- how it is recorded


def _associated(
    call: Call, instance_id: str, profile: InstanceProfile, association_id: str, state: str
) -> Answer:
    return _answer(call, instance_id, association_id, profile.arn, profile.id, state)


def _answer(
    call: Call, instance_id: str, association_id: str, arn: str, profile_id: str | None, state: str
) -> Answer:
    """CloudTrail wraps these calls of EC2 in the names of their XML documents, and leaves the request's names as they are."""
    name = call.action.partition(":")[2]
    told = {
        "associationId": association_id,
        "instanceId": instance_id,
        "iamInstanceProfile": {"arn": arn} | ({} if profile_id is None else {"id": profile_id}),
        "state": state,
    }
    output = {"IamInstanceProfileAssociation": {"AssociationId": association_id, "InstanceId": instance_id}}
    wrapped = {"xmlns": XML_NAMESPACE, "iamInstanceProfileAssociation": told}
    return Answer(
        output,
        extra={
            "requestParameters": {f"{name}Request": dict(call.parameters)},
            "responseElements": {f"{name}Response": wrapped},
        },
    )


def _told(change: Change, kind: str, members: Members) -> Members:
    """What is within the wrapping, if there is one."""
    wrapping = f"{change.record.action.partition(':')[2]}{kind}"
    return members.within(wrapping) if wrapping in members else members


def _association(
    account: Account, change: Change, told: Members, asked: Members
) -> ProfileAssociation | None:
    """The association that an answer tells, or else what was asked for; None where there is none."""
    shown = told.within("iamInstanceProfile")
    arn, profile_id = shown.text("arn") or asked.text("arn"), shown.text("id")
    name = asked.text("name")
    if arn is None and name is not None:
        there = account.instance_profile_named(name)
        arn = f"arn:aws:iam::{account.id}:instance-profile/{name}" if there is None else there.arn
    if arn is None:
        return None
    instance_id = told.text("instanceId") or asked.text("instanceId") or ""
    # RunInstances tells no id of the association, though EC2 gives it one.
    association_id = told.text("associationId") or f"iip-assoc-{instance_id.removeprefix('i-')}"
    return ProfileAssociation(association_id, arn, profile_id, change.position)


def _hexadecimal(moment: Moment) -> str:
    return moment.fresh(9).hex()[:17]


def _lower(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name[:1].lower() + name[1:]: value for name, value in members.items()}
