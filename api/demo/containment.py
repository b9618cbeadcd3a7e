"""The answer of the company, what it stops, and what it does not."""

from api.demo.account import Document
from api.demo.callers import Caller, Client
from api.demo.company import ADMIN
from api.demo.company_policies import role_trusts
from api.demo.cover_up import (
    ALL_REGIONS,
    DATA_AGAIN,
    PROFILE,
    STARTED,
    TRAIL_ARN,
    put_selectors,
    update_trail,
    vendor_caller,
)
from api.demo.day import at, iso
from api.demo.deployments import RUNS_WITH_NEW_KEY
from api.demo.ordinary_calls import Everyday, describe, list_buckets, s3_list, s3_object
from api.demo.people import root_without_session
from api.demo.persistence import PLANTED, VENDOR_ROLE
from api.demo.refusals import delete_conflict, denied, denied_by
from api.demo.stage import Stage
from api.demo.whereabouts import ABROAD, BROWSER, KALI, KALI_CLI, MAIN, OFFICE, PROD_DATA, REMOTE, US

_DEPLOY = f"arn:aws:iam::{MAIN}:policy/LarkspurDeploy"


def contain(stage: Stage) -> None:
    nadia, mara = (_responder(stage, name) for name in ("nadia.petrov", "mara.lindqvist"))
    _log_again(stage, nadia)
    _close_the_key(stage, nadia)
    _strip_the_planted_user(stage, nadia)
    _give_tom_back(stage, mara)
    _revoke_sessions(stage, nadia)
    _restore_policies(stage, nadia)
    _remove_server(stage, nadia)
    _give_root_back(stage)
    _work_again(stage, mara)
    _come_back(stage)


def _responder(stage: Stage, name: str) -> Caller:
    client = Client(OFFICE.address, OFFICE.agent, "response")
    return stage.people.consoles[name].on(client)


def _log_again(stage: Stage, nadia: Caller) -> None:
    acts = stage.loot.acts
    acts["start"] = stage.trail.call(at(STARTED), nadia, "cloudtrail:StartLogging", {"name": TRAIL_ARN})
    unseen = stage.holder("backup key", KALI)  # a key that no record made, of a user without boundary
    stage.look(at("15:08:30"), unseen, [Everyday("sts:GetCallerIdentity"), Everyday("iam:ListUsers")])
    acts["all regions"] = update_trail(stage, ALL_REGIONS, nadia, all_regions=True)
    acts["data again"] = put_selectors(stage, DATA_AGAIN, nadia, with_data=True)
    stage.look(at("15:11:30"), stage.holder("break glass unseen", KALI_CLI), [Everyday("iam:ListRoles")])


def _close_the_key(stage: Stage, nadia: Caller) -> None:
    """A call with a closed key reaches no log; the sessions made with it live on."""
    key_id = stage.loot.held["leaked"].key_id
    assert key_id
    stage.look(at("15:11:50"), nadia, [Everyday("iam:ListAccessKeys", {"userName": "ci-deploy"})])
    stage.iam.update_access_key(at("15:12:30"), nadia, "ci-deploy", key_id, "Inactive")
    stage.loot.acts["key closed"] = stage.trail.acts[-1]
    session = stage.holder("session", KALI_CLI)
    for clock in ("15:13:40", "15:20:15", "15:31:02"):
        calls = [s3_object("GetObject", "larkspur-tfstate", "network/terraform.tfstate", US)]
        stage.look(at(clock), session, calls)
    console = stage.holder("federated console", BROWSER)
    describe("DescribeInstances", instancesSet={}).by(stage.trail, at("15:16:04"), console, US)


def _strip_the_planted_user(stage: Stage, nadia: Caller) -> None:
    iam, held = stage.iam, stage.loot.held
    first, second = held["planted"].key_id, held["planted second"].key_id
    assert first and second
    iam.update_access_key(at("15:15:20"), nadia, PLANTED, first, "Inactive")
    iam.delete_access_key(at("15:15:48"), nadia, PLANTED, first)
    iam.update_access_key(at("15:16:20"), nadia, PLANTED, second, "Inactive")
    iam.delete_login_profile(at("15:16:40"), nadia, PLANTED)
    iam.detach_user_policy(at("15:17:02"), nadia, PLANTED, ADMIN)
    iam.remove_user_from_group(at("15:17:20"), nadia, PLANTED, "admins")
    iam.refused(at("15:17:50"), nadia, "DeleteUser", delete_conflict(), {"userName": PLANTED})
    console = stage.holder("planted console", BROWSER)
    refusal = denied(console, "iam:ListUsers", f"arn:aws:iam::{MAIN}:user/")
    iam.refused(at("15:18:12"), console, "ListUsers", refusal)


def _give_tom_back(stage: Stage, mara: Caller) -> None:
    iam = stage.iam
    iam.update_login_profile(at("15:18:30"), mara, "tom.okafor", reset=True)
    iam.put_user_policy(at("15:19:10"), mara, "tom.okafor", "RevokeOlderSessions", _older_than("15:19:10"))
    thief = stage.holder("tom", BROWSER)
    refusal = denied_by(thief, "iam:ListUsers", f"arn:aws:iam::{MAIN}:user/", None)
    iam.refused(at("15:22:00"), thief, "ListUsers", refusal)
    tom = stage.company.user("tom.okafor")
    credential = stage.sessions.sign_in(at("16:20:10"), tom, Caller(tom, REMOTE), mfa_serial=None)
    himself = Caller(credential, Client(REMOTE.address, REMOTE.agent, "response"))
    stage.trail.call(at("16:20:31"), himself, "iam:ChangePassword")
    serial = iam.create_mfa_device(at("16:21:40"), himself, "tom.okafor-2")
    iam.enable_mfa_device(at("16:22:15"), himself, "tom.okafor", serial)
    credential = stage.sessions.sign_in(at("16:24:02"), tom, Caller(tom, REMOTE), mfa_serial=serial)
    stage.look(at("16:24:40"), Caller(credential, REMOTE), [Everyday("iam:GetAccountSummary")])


def _revoke_sessions(stage: Stage, nadia: Caller) -> None:
    iam = stage.iam
    document = _older_than("15:22:10")
    iam.put_role_policy(at("15:22:10"), nadia, "LarkspurBreakGlass", "AWSRevokeOlderSessions", document)
    unseen = stage.holder("break glass unseen", KALI_CLI)
    for clock, name in (("15:23:05", "ListUsers"), ("15:23:09", "ListRoles")):
        folder = "user" if name == "ListUsers" else "role"
        refusal = denied_by(unseen, f"iam:{name}", f"arn:aws:iam::{MAIN}:{folder}/", None)
        iam.refused(at(clock), unseen, name, refusal)
    document = _older_than("15:36:10")
    iam.put_user_policy(at("15:36:10"), nadia, "ci-deploy", "RevokeOlderSessions", document)
    session = stage.holder("session", KALI_CLI)
    resource = '"arn:aws:s3:::larkspur-tfstate/network/terraform.tfstate"'
    refusal = denied_by(session, "s3:GetObject", resource, None)
    call = s3_object("GetObject", "larkspur-tfstate", "network/terraform.tfstate", US)
    stage.loot.acts["session stopped"] = call.by(stage.trail, at("15:38:20"), session, US, refusal)


def _restore_policies(stage: Stage, nadia: Caller) -> None:
    iam = stage.iam
    iam.set_default_version(at("15:24:10"), nadia, _DEPLOY, "v7")
    iam.delete_policy_version(at("15:24:22"), nadia, _DEPLOY, "v8")
    console = stage.holder("federated console", BROWSER)
    list_buckets(US).by(stage.trail, at("15:26:11"), console, US, denied(console, "s3:ListAllMyBuckets", "*"))
    trust = role_trusts(MAIN, "")["LarkspurInvoiceLambda"]
    iam.update_trust(at("15:28:05"), nadia, "LarkspurInvoiceLambda", trust)


def _remove_server(stage: Stage, nadia: Caller) -> None:
    instance_id = stage.loot.instance_id
    request = {"instancesSet": {"items": [{"instanceId": instance_id}]}}
    ended = {
        "instanceId": instance_id,
        "currentState": {"code": 32, "name": "shutting-down"},
        "previousState": {"code": 16, "name": "running"},
    }
    response = {"requestId": stage.trail.identifiers.uuid(), "instancesSet": {"items": [ended]}}
    stage.trail.call(at("15:33:00"), nadia, "ec2:TerminateInstances", request, response)
    stage.iam.remove_role_from_profile(at("15:33:40"), nadia, PROFILE, "LarkspurOps")
    stage.iam.delete_instance_profile(at("15:33:40"), nadia, PROFILE)


def _give_root_back(stage: Stage) -> None:
    """In the second account only root itself can delete root's key."""
    client = Client(OFFICE.address, OFFICE.agent, "response")
    face = Caller(root_without_session(PROD_DATA), client)
    stage.trail.call(
        at("15:46:30"),
        face,
        "signin:PasswordRecoveryRequested",
        None,
        {"PasswordRecoveryRequested": "Success"},
    )
    stage.trail.call(
        at("15:48:02"),
        face,
        "signin:PasswordRecoveryCompleted",
        None,
        {"PasswordRecoveryCompleted": "Success"},
    )
    session = Caller(stage.sessions.sign_in_as_root(at("15:50:12"), PROD_DATA, face, mfa_serial=None), client)
    key_id = stage.loot.held["root key"].key_id
    stage.loot.acts["root key deleted"] = stage.trail.call(
        at("15:51:30"), session, "iam:DeleteAccessKey", {"accessKeyId": key_id}
    )
    serial = f"arn:aws:iam::{PROD_DATA}:mfa/root-account-mfa-device"
    stage.trail.call(
        at("15:52:40"),
        session,
        "iam:CreateVirtualMFADevice",
        {"virtualMFADeviceName": "root-account-mfa-device"},
        {"virtualMFADevice": {"serialNumber": serial}},
    )
    request = {"userName": "AWS ROOT USER", "serialNumber": serial}
    stage.trail.call(at("15:53:20"), session, "iam:EnableMFADevice", request)


def _work_again(stage: Stage, mara: Caller) -> None:
    fresh = stage.iam.create_access_key(at("16:40:12"), mara, "ci-deploy")
    stage.deployments.run(fresh, RUNS_WITH_NEW_KEY)


def _come_back(stage: Stage) -> None:
    """After the containment: through the key and the role that nobody found."""
    reports = stage.holder("reports", KALI)
    for clock, part in (("15:55:10", "03"), ("16:05:40", "04")):
        calls = [s3_list("larkspur-finance", "payroll/", US)]
        calls += [s3_object("GetObject", "larkspur-finance", f"payroll/2024-{part}.csv", US)]
        stage.look(at(clock), reports, calls, pause=6)
    role = stage.company.face(VENDOR_ROLE)
    stage.loot.held["vendor"] = stage.sessions.assume_role(
        at("16:01:20"), vendor_caller(stage), role, "support"
    )
    calls = [Everyday("sts:GetCallerIdentity"), list_buckets(US), Everyday("iam:ListUsers")]
    calls += [s3_object("GetObject", "larkspur-finance", "books/2026-02.xlsx", US)]
    stage.look(at("16:02:00"), stage.holder("vendor", ABROAD), calls, pause=8)
    last = Everyday("iam:GetAccountSummary").by(
        stage.trail, at("16:08:30"), stage.holder("vendor", ABROAD), US
    )
    stage.loot.acts["last"] = last


def _older_than(clock: str) -> Document:
    """What the console writes when somebody presses "Revoke active sessions"."""
    issued = iso(at(clock)).replace("Z", ".000Z")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": issued}},
            }
        ],
    }
