"""An EC2 instance becomes its role: real SDKs and the real aws CLI, by the metadata protocol."""

import json
from collections.abc import Iterator
from datetime import timedelta

import boto3
import httpx
import pytest
import time_machine
from botocore.exceptions import ClientError, NoCredentialsError

from api.machines.instance_metadata import InstanceMetadata
from ledger.authority.role_delivery import RoleDelivery
from tests.api.living_server import Account
from tests.api.loopback import on_loopback
from tests.api.machines.workloads import (
    asked,
    aws,
    issuances,
    make_role,
    run_instance,
    sdk,
    trusting,
)

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"


@pytest.fixture
def instance(account: Account) -> str:
    make_role(account, "web", lists=True)
    return run_instance(account, "web")


@pytest.fixture
def metadata(
    account: Account, instance: str, keyless: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """The instance's metadata service, which the environment names; the client has no token yet."""
    app = InstanceMetadata(RoleDelivery(account.server.authority, account.id), "web-1")
    with on_loopback(app, proxy_headers=False) as url, httpx.Client(base_url=url) as client:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        keyless["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = url
        yield client


@pytest.fixture
def known(metadata: httpx.Client) -> httpx.Client:
    metadata.headers[TOKEN] = metadata.put("/latest/api/token", headers={TTL: "60"}).text
    return metadata


def session_arn(account: Account, role: str, instance: str) -> str:
    return f"arn:aws:sts::{account.id}:assumed-role/{role}/{instance}"


# ---- clients as they are


def test_boto3_on_the_instance_acts_as_its_role_with_no_key_anywhere(
    account: Account, instance: str, metadata: httpx.Client
) -> None:
    session = boto3.Session()
    told = sdk(account, "sts", session).get_caller_identity()
    assert told["Arn"] == session_arn(account, "web", instance)
    assert sdk(account, "iam", session).list_users()["Users"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        sdk(account, "iam", session).list_roles()


def test_the_aws_cli_on_the_instance_acts_as_its_role(
    account: Account, instance: str, metadata: httpx.Client, keyless: dict[str, str]
) -> None:
    ran = aws(account, keyless, "sts", "get-caller-identity")
    assert json.loads(ran.stdout)["Arn"] == session_arn(account, "web", instance), ran.stderr
    refused = aws(account, keyless, "iam", "list-roles")
    assert "is not authorized to perform: iam:ListRoles" in refused.stderr


def test_an_issuance_is_an_entry_as_ec2_leaves_it_and_the_calls_show_how_the_role_was_delivered(
    account: Account, instance: str, metadata: httpx.Client
) -> None:
    session = boto3.Session()
    sdk(account, "iam", session).list_users()
    (opened,) = issuances(account)
    assert opened["userIdentity"] == {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    assert (opened["sourceIPAddress"], opened["userAgent"]) == ("ec2.amazonaws.com", "ec2.amazonaws.com")
    assert opened["eventName"] == "AssumeRole"
    assert opened["requestParameters"]["roleSessionName"] == instance
    credentials = session.get_credentials()
    assert credentials is not None
    assert opened["responseElements"]["credentials"]["accessKeyId"] == credentials.access_key
    assert credentials.secret_key not in json.dumps(account.records())
    listed = account.records()[-1]
    assert listed["eventName"] == "ListUsers"
    assert listed["userIdentity"]["accessKeyId"] == credentials.access_key
    assert listed["userIdentity"]["sessionContext"]["ec2RoleDelivery"] == "2.0"


def test_a_policy_may_ask_from_which_instance_a_call_comes(
    account: Account, instance: str, metadata: httpx.Client
) -> None:
    iam, session = account.client("iam"), boto3.Session()
    for condition, allowed in (
        (
            {
                "ArnEquals": {
                    "ec2:SourceInstanceARN": f"arn:aws:ec2:us-east-1:{account.id}:instance/{instance}"
                }
            },
            1,
        ),
        ({"ArnEquals": {"ec2:SourceInstanceARN": f"arn:aws:ec2:us-east-1:{account.id}:instance/i-0"}}, 0),
        ({"NumericLessThan": {"ec2:RoleDelivery": "2.0"}}, 0),
    ):
        statement = {"Effect": "Allow", "Action": "iam:ListGroups", "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_role_policy(RoleName="web", PolicyName="groups", PolicyDocument=document)
        if allowed:
            assert sdk(account, "iam", session).list_groups()["Groups"] == []
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                sdk(account, "iam", session).list_groups()


# ---- rotation


def test_new_credentials_are_there_well_before_the_old_ones_end(
    account: Account, instance: str, metadata: httpx.Client
) -> None:
    with time_machine.travel(timedelta(0), tick=True) as travelling:
        session = boto3.Session()
        first = session.get_credentials()
        assert first is not None
        key = first.get_frozen_credentials().access_key
        travelling.shift(timedelta(hours=5))
        assert first.get_frozen_credentials().access_key == key  # an hour is left, which is enough
        travelling.shift(timedelta(minutes=54))
        renewed = first.get_frozen_credentials()  # what SDKs do by themselves
        assert renewed.access_key != key
        assert sdk(account, "sts", session).get_caller_identity()["Arn"].endswith(instance)
        travelling.shift(timedelta(minutes=7))
        assert sdk(account, "iam", session).list_users()["Users"] == []
    assert [it["responseElements"]["credentials"]["accessKeyId"] for it in issuances(account)] == [
        key,
        renewed.access_key,
    ]


def test_asking_again_and_again_opens_one_session(account: Account, known: httpx.Client) -> None:
    first = known.get(f"{CREDENTIALS}web").json()
    assert known.get(f"{CREDENTIALS}web").json() == first
    assert len(issuances(account)) == 1


# ---- the profile changes while the machine runs


def test_a_swapped_profile_counts_from_the_next_fetch_on(
    account: Account, instance: str, metadata: httpx.Client
) -> None:
    make_role(account, "batch")
    before = boto3.Session()
    sts = sdk(account, "sts", before)
    assert sts.get_caller_identity()["Arn"] == session_arn(account, "web", instance)
    runs_as = account.server.authority.look(account.id)[0].workloads[instance].runs_as
    asked(
        account,
        "ec2:ReplaceIamInstanceProfileAssociation",
        AssociationId=getattr(runs_as, "id", None),
        IamInstanceProfile={"Name": "batch"},
    )
    after = sdk(account, "sts", boto3.Session()).get_caller_identity()
    assert after["Arn"] == session_arn(account, "batch", instance)
    assert sts.get_caller_identity()["Arn"] == session_arn(account, "web", instance)  # until it ends


def test_a_detached_profile_leaves_no_credentials(
    account: Account, instance: str, known: httpx.Client
) -> None:
    runs_as = account.server.authority.look(account.id)[0].workloads[instance].runs_as
    association_id = getattr(runs_as, "id", None)
    asked(account, "ec2:DisassociateIamInstanceProfile", AssociationId=association_id)
    assert known.get("/latest/meta-data/iam/info").status_code == 404
    assert known.get(CREDENTIALS).status_code == 404
    assert known.get(f"{CREDENTIALS}web").status_code == 404
    with pytest.raises(NoCredentialsError):
        sdk(account, "sts", boto3.Session()).get_caller_identity()
    asked(account, "ec2:AssociateIamInstanceProfile", InstanceId=instance, IamInstanceProfile={"Name": "web"})
    assert known.get(CREDENTIALS).text == "web"
    assert known.get(f"{CREDENTIALS}web").json()["Code"] == "Success"


def test_a_role_that_does_not_trust_ec2_is_not_handed_out_and_the_attempt_is_an_entry(
    account: Account, instance: str, known: httpx.Client
) -> None:
    trust = account.client("iam").update_assume_role_policy
    trust(RoleName="web", PolicyDocument=trusting("lambda.amazonaws.com"))
    told = known.get(f"{CREDENTIALS}web").json()
    assert (told["Code"], told["Message"].partition(". ")[0]) == (
        "AssumeRoleUnauthorizedAccess",
        "EC2 cannot assume the role web",
    )
    assert "AccessKeyId" not in told
    with pytest.raises(NoCredentialsError):
        sdk(account, "sts", boto3.Session()).get_caller_identity()
    (denied,) = issuances(account)  # who asks at once again is told the same, and fills no log
    assert (denied["errorCode"], denied["responseElements"]) == ("AccessDenied", None)
    trust(RoleName="web", PolicyDocument=trusting("ec2.amazonaws.com"))
    assert known.get(f"{CREDENTIALS}web").json()["Code"] == "Success"


def test_a_profile_without_a_role_and_one_that_is_gone_say_so(
    account: Account, instance: str, known: httpx.Client
) -> None:
    iam = account.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web")
    told = known.get("/latest/meta-data/iam/info").json()
    assert (told["Code"], told["Message"].partition(". ")[0]) == (
        "Success",
        "Instance Profile does not contain a role",
    )
    assert known.get(CREDENTIALS).text == ""
    iam.delete_instance_profile(InstanceProfileName="web")
    iam.create_instance_profile(InstanceProfileName="web")  # a namesake is another profile
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    assert known.get("/latest/meta-data/iam/info").json()["Code"] == "InstanceProfileNotFound"
    assert known.get(f"{CREDENTIALS}web").status_code == 404


# ---- the protocol


@pytest.mark.parametrize("ttl", [None, "0", "21601", "-1", "+60", "6e1", "sixty", "", "٦٠", "9" * 40])
def test_a_token_lasts_a_second_to_six_hours(metadata: httpx.Client, ttl: str | None) -> None:
    headers = [] if ttl is None else [(TTL.encode(), ttl.encode())]
    assert metadata.put("/latest/api/token", headers=headers).status_code == 400


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_a_token_is_got_by_put_and_says_how_long_it_lasts(metadata: httpx.Client, ttl: str) -> None:
    told = metadata.put("/latest/api/token", headers={TTL: ttl})
    assert (told.status_code, told.headers[TTL]) == (200, ttl)
    assert told.headers["content-type"].startswith("text/plain")
    for method in ("GET", "POST"):
        assert metadata.request(method, "/latest/api/token", headers={TTL: ttl}).status_code == 405


def test_nothing_is_read_without_a_token_or_with_a_spoilt_or_old_one(metadata: httpx.Client) -> None:
    path = "/latest/meta-data/instance-id"
    assert metadata.get(path).status_code == 401
    token = metadata.put("/latest/api/token", headers={TTL: "60"}).text
    assert metadata.get(path, headers={TOKEN: token}).status_code == 200
    spoilt = ("B" if token[0] == "A" else "A") + token[1:]
    for other in (spoilt, token[:-4], f"{token}AAAA", "ü", "x"):
        told = metadata.get(path, headers=[(TOKEN.encode(), other.encode())])
        assert told.status_code == 401, other
    with time_machine.travel(timedelta(seconds=61)):
        assert metadata.get(path, headers={TOKEN: token}).status_code == 401


def test_what_was_forwarded_or_is_addressed_by_a_name_is_refused(known: httpx.Client) -> None:
    for headers in ({"X-Forwarded-For": "192.0.2.1"}, {"Host": "rebound.example.com"}):
        assert known.put("/latest/api/token", headers={TTL: "60", **headers}).status_code == 403
        assert known.get(CREDENTIALS, headers=headers).status_code == 403


def test_the_instance_learns_who_and_where_it_is(
    account: Account, instance: str, known: httpx.Client
) -> None:
    for path, told in {
        "/latest/meta-data/instance-id": instance,
        "/latest/meta-data/ami-id": "ami-00000000000000000",
        "/latest/meta-data/placement/region": "us-east-1",
        "/2021-07-15/meta-data/placement/availability-zone": "us-east-1a",
        "/latest/meta-data/iam/": "info\nsecurity-credentials/",
        "/latest/meta-data/placement": "availability-zone\nregion",
        "/latest/": "dynamic\nmeta-data".replace("\n", "/\n") + "/",
        CREDENTIALS: "web",
        CREDENTIALS.rstrip("/"): "web",
    }.items():
        assert known.get(path).text == told, path
    document = known.get("/latest/dynamic/instance-identity/document").json()
    assert (document["instanceId"], document["accountId"]) == (instance, account.id)
    assert (document["region"], document["availabilityZone"]) == ("us-east-1", "us-east-1a")
    info = known.get("/latest/meta-data/iam/info").json()
    profile = account.client("iam").get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    assert (info["InstanceProfileArn"], info["InstanceProfileId"]) == (
        profile["Arn"],
        profile["InstanceProfileId"],
    )


@pytest.mark.parametrize(
    "path", ["/", "/older/meta-data/", "/latest/meta-data/ins", "/latest/user-data", f"{CREDENTIALS}other"]
)
def test_what_is_not_there_is_not_found(known: httpx.Client, path: str) -> None:
    assert known.get(path).status_code == 404


def test_nothing_is_written_by_this_way(known: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert known.request(method, CREDENTIALS).status_code == 405
