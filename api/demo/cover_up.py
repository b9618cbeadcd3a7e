"""Servers and their credentials, AWS's quarantine, and the audit trail that is switched off."""

from api.demo.callers import Caller, Client, Credential, outsider, root
from api.demo.day import at, created
from api.demo.deployments import RUNS
from api.demo.ordinary_calls import Everyday, describe, list_buckets, s3_list, s3_object, secret, table_item
from api.demo.people import root_without_session
from api.demo.persistence import VENDOR_ROLE
from api.demo.refusals import Refusal, denied, denied_by
from api.demo.stage import Stage
from api.demo.trail import Act, Outage
from api.demo.whereabouts import ABROAD, BROWSER, EU, INTRUDERS, KALI, KALI_CLI, MAIN, PROD_DATA, US

TRAIL_ARN = f"arn:aws:cloudtrail:us-east-1:{MAIN}:trail/larkspur-main"
QUARANTINE = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"
PROFILE = "larkspur-batch-worker"
STOPPED, STARTED = "14:31:20", "15:07:05"
ONE_REGION, ALL_REGIONS = "14:26:40", "15:09:20"
NO_DATA, DATA_AGAIN = "14:28:15", "15:10:02"


def cover_up(stage: Stage) -> None:
    _steal_from_server(stage)
    _start_server(stage)
    _quarantined(stage)
    _silence_the_trail(stage)
    _unseen(stage)
    _take_the_other_root(stage)


def _steal_from_server(stage: Stage) -> None:
    """A command on a server reads its credentials; they are then used from outside."""
    server = stage.machines.instances[0]
    admin = stage.holder("break glass", KALI_CLI)
    request = {
        "documentName": "AWS-RunShellScript",
        "instanceIds": [server.instance_id],
        "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS",
        "interactive": False,
    }
    stage.trail.call(at("14:07:10"), admin, "ssm:SendCommand", request)
    stage.loot.held["server"] = server.credential_at(at("14:08:05"))
    thief = stage.holder("server", KALI)
    calls = [Everyday("sts:GetCallerIdentity"), s3_list("larkspur-shipments", "", US)]
    calls += [
        s3_object("GetObject", "larkspur-shipments", f"customers/part-{n:03}.json", US) for n in range(12)
    ]
    calls += [table_item("Query", "larkspur-consignments", "", US), secret("app/tms-database")]
    stage.look(at("14:08:05"), thief, calls, pause=4)
    for number, action in enumerate(("ListBuckets", "ListUsers")):
        service = "s3" if action == "ListBuckets" else "iam"
        asked = "s3:ListAllMyBuckets" if service == "s3" else "iam:ListUsers"
        resource = "*" if service == "s3" else f"arn:aws:iam::{MAIN}:user/"
        refusal = denied(thief, asked, resource)
        stage.trail.call(at("14:09:20") + number, thief, f"{service}:{action}", refusal=refusal)


def _start_server(stage: Stage) -> None:
    """The role of the operators in a new profile, and a server with it: PassRole leaves no record."""
    planted, ids = stage.holder("planted", KALI_CLI), stage.trail.identifiers
    stage.iam.create_instance_profile(at("14:12:20"), planted, PROFILE)
    stage.loot.acts["profile role"] = stage.iam.add_role_to_profile(
        at("14:12:20"), planted, PROFILE, "LarkspurOps"
    )
    instance_id = stage.loot.instance_id = ids.resource("i")
    request = {
        "instancesSet": {"items": [{"imageId": "ami-0c2b8ca1dad447f8a", "minCount": 1, "maxCount": 1}]},
        "instanceType": "t3.medium",
        "blockDeviceMapping": {},
        "monitoring": {"enabled": False},
        "disableApiTermination": False,
        "disableApiStop": False,
        "clientToken": ids.uuid(),
        "iamInstanceProfile": {"name": PROFILE},
    }
    text = f"Value ({PROFILE}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    refusal = Refusal("Client.InvalidParameterValue", text, True)
    stage.trail.call(at("14:12:25"), planted, "ec2:RunInstances", request, refusal=refusal)
    started = {
        "instanceId": instance_id,
        "imageId": "ami-0c2b8ca1dad447f8a",
        "instanceState": {"code": 0, "name": "pending"},
        "instanceType": "t3.medium",
        "launchTime": at("14:12:41") * 1000,
        "privateIpAddress": "10.20.1.77",
        "iamInstanceProfile": {
            "arn": f"arn:aws:iam::{MAIN}:instance-profile/{PROFILE}",
            "id": stage.company.account.profiles[PROFILE].profile_id,
        },
    }
    response = {
        "requestId": ids.uuid(),
        "reservationId": ids.resource("r"),
        "ownerId": MAIN,
        "groupSet": {},
        "instancesSet": {"items": [started]},
    }
    stage.loot.acts["run"] = stage.trail.call(at("14:12:41"), planted, "ec2:RunInstances", request, response)
    arn = f"arn:aws:ec2:us-east-1:{MAIN}:instance/{instance_id}"
    extra = {"inScopeOf": {"issuerType": "AWS::EC2::Instance", "credentialsIssuedTo": arn}}
    role = stage.company.face("LarkspurOps")
    stage.loot.held["own server"] = stage.sessions.assume_for_service(
        at("14:13:10"), "ec2.amazonaws.com", role, instance_id, region=US, extra=extra
    )
    inside = stage.holder("own server", Client("192.0.2.80", KALI_CLI.agent, "attack"))
    Everyday("sts:GetCallerIdentity").by(stage.trail, at("14:14:30"), inside, US)
    calls = [Everyday("sts:GetCallerIdentity"), secret("app/tms-database"), secret("finance/bank-gateway")]
    stage.look(at("14:16:50"), stage.holder("own server", KALI), calls, pause=6)


def _quarantined(stage: Stage) -> None:
    """AWS finds the key in public and puts the user under quarantine; the intruders take it off again."""
    # From memory of incident reports: the attachment appears as the account's root, acting for "AWS Internal".
    identity = dict(root(MAIN, "", None, mfa=False).identity) | {"invokedBy": "AWS Internal"}
    aws = Caller(
        Credential("service", identity, MAIN, f"arn:aws:iam::{MAIN}:root", "AWS Internal"),
        Client("AWS Internal", "AWS Internal", "aws"),
    )
    acts = stage.loot.acts
    acts["quarantine"] = stage.iam.attach_user_policy(at("14:14:05"), aws, "ci-deploy", QUARANTINE)
    leaked, session = stage.holder("leaked", KALI_CLI), stage.holder("session with mfa", KALI_CLI)
    stage.deployments.run_in_quarantine(leaked.credential, QUARANTINE)
    for clock, caller, name, resource in (
        ("14:16:10", leaked, "CreateUser", f"arn:aws:iam::{MAIN}:user/ci-deploy2"),
        ("14:16:22", leaked, "ListUsers", f"arn:aws:iam::{MAIN}:user/"),
        ("14:16:40", session, "CreateAccessKey", "user ci-deploy"),
        ("14:17:05", session, "DetachUserPolicy", "user ci-deploy"),
    ):
        stage.iam.refused(at(clock), caller, name, denied_by(caller, f"iam:{name}", resource, QUARANTINE))
    planted = stage.holder("planted", KALI_CLI)
    acts["quarantine off"] = stage.iam.detach_user_policy(at("14:19:20"), planted, "ci-deploy", QUARANTINE)
    stage.look(at("14:20:30"), leaked, [Everyday("sts:GetCallerIdentity"), Everyday("iam:ListUsers")])
    stage.deployments.run(leaked.credential, RUNS)


def _silence_the_trail(stage: Stage) -> None:
    planted, admin = stage.holder("planted", KALI_CLI), stage.holder("break glass", KALI_CLI)
    name = {"name": "larkspur-main"}
    looks = [
        Everyday("cloudtrail:DescribeTrails"),
        Everyday("cloudtrail:GetTrailStatus", name),
        Everyday("cloudtrail:GetEventSelectors", {"trailName": "larkspur-main"}),
    ]
    stage.look(at("14:24:02"), planted, looks)
    guardrail = stage.company.account.policy_arn("LarkspurGuardrail")
    refusal = denied_by(planted, "cloudtrail:DeleteTrail", TRAIL_ARN, guardrail)
    acts, call = stage.loot.acts, stage.trail.call
    acts["delete trail"] = call(at("14:25:10"), planted, "cloudtrail:DeleteTrail", name, refusal=refusal)
    acts["one region"] = update_trail(stage, ONE_REGION, planted, all_regions=False)
    acts["no data"] = put_selectors(stage, NO_DATA, planted, with_data=False)
    acts["stop"] = call(at(STOPPED), admin, "cloudtrail:StopLogging", {"name": TRAIL_ARN})
    stage.trail.outages = [
        Outage(MAIN, at(STOPPED), at(STARTED)),
        Outage(MAIN, at(ONE_REGION), at(ALL_REGIONS), region=EU),
        Outage(MAIN, at(NO_DATA), at(DATA_AGAIN), only_data=True),
    ]


def update_trail(stage: Stage, clock: str, caller: Caller, *, all_regions: bool) -> Act:
    request = {"name": "larkspur-main", "isMultiRegionTrail": all_regions}
    response = {
        "name": "larkspur-main",
        "s3BucketName": "larkspur-cloudtrail",
        "includeGlobalServiceEvents": True,
        "isMultiRegionTrail": all_regions,
        "trailARN": TRAIL_ARN,
        "logFileValidationEnabled": True,
        "isOrganizationTrail": False,
    }
    return stage.trail.call(at(clock), caller, "cloudtrail:UpdateTrail", request, response)


def put_selectors(stage: Stage, clock: str, caller: Caller, *, with_data: bool) -> Act:
    data = [
        {"type": "AWS::S3::Object", "values": ["arn:aws:s3"]},
        {"type": "AWS::DynamoDB::Table", "values": ["arn:aws:dynamodb"]},
    ]
    selectors = [
        {
            "readWriteType": "All",
            "includeManagementEvents": True,
            "dataResources": data if with_data else [],
            "excludeManagementEventSources": [],
        }
    ]
    request = {"trailName": "larkspur-main", "eventSelectors": selectors}
    response = {"trailARN": TRAIL_ARN, "eventSelectors": selectors}
    return stage.trail.call(at(clock), caller, "cloudtrail:PutEventSelectors", request, response)


def _unseen(stage: Stage) -> None:
    """What no delivered file tells: a key, secrets read, two roles taken."""
    planted, held = stage.holder("planted", KALI_CLI), stage.loot.held
    held["backup key"] = stage.iam.create_access_key(at("14:33:15"), planted, "svc-backup")
    calls = [secret("finance/bank-gateway"), secret("app/tms-database"), secret("app/customs-api")]
    stage.look(at("14:35:02"), planted, calls, pause=20)
    role = stage.company.face(VENDOR_ROLE)
    vendor = stage.sessions.assume_role(at("14:46:30"), vendor_caller(stage), role, "support")
    held["vendor unseen"] = vendor
    stage.look(at("14:47:00"), Caller(vendor, ABROAD), [list_buckets(US), Everyday("iam:ListUsers")])
    session = stage.holder("session with mfa", KALI_CLI)
    role = stage.company.face("LarkspurBreakGlass")
    held["break glass unseen"] = stage.sessions.assume_role(
        at("14:58:40"), session, role, "ops-review-2", mfa=True
    )


def vendor_caller(stage: Stage) -> Caller:
    """Somebody of the foreign account; always the same."""
    if "outsider" not in stage.loot.held:
        principal = stage.trail.identifiers.unique_id("AIDA", INTRUDERS)
        stage.loot.held["outsider"] = outsider(INTRUDERS, principal)
    return stage.holder("outsider", ABROAD)


def _take_the_other_root(stage: Stage) -> None:
    """The second account logs on: its root password is reset by mail, and no second factor is asked for."""
    face = Caller(root_without_session(PROD_DATA), BROWSER)
    for clock, name in (("14:38:10", "PasswordRecoveryRequested"), ("14:40:22", "PasswordRecoveryCompleted")):
        stage.trail.call(at(clock), face, f"signin:{name}", None, {name: "Success"})
    held = stage.loot.held
    held["root console"] = stage.sessions.sign_in_as_root(at("14:41:05"), PROD_DATA, face, mfa_serial=None)
    console = stage.holder("root console", BROWSER)
    stage.look(at("14:41:30"), console, [Everyday("iam:GetAccountSummary"), Everyday("iam:ListAccessKeys")])
    key_id = stage.trail.identifiers.key_id("AKIA", PROD_DATA)
    shown = {"accessKeyId": key_id, "status": "Active", "createDate": created(at("14:42:30"))}
    made = stage.trail.call(at("14:42:30"), console, "iam:CreateAccessKey", None, {"accessKey": shown})
    stage.loot.acts["root key"] = made
    held["root key"] = root(PROD_DATA, key_id, None, mfa=False, made_by=made.event_id)
    owner = stage.holder("root key", KALI)
    calls = [Everyday("sts:GetCallerIdentity"), list_buckets(US), s3_list("larkspur-prod-data", "", US)]
    calls += [
        s3_object("GetObject", "larkspur-prod-data", f"customers/2026-{n:02}.parquet", US) for n in range(8)
    ]
    stage.look(at("14:44:10"), owner, calls, pause=9)
    describe("DescribeInstances", instancesSet={}).by(stage.trail, at("14:46:00"), owner, US)
