"""The way in: passwords tried, a leaked key, a look around, and from there to everything."""

from api.demo.callers import Caller, Credential
from api.demo.company_policies import allow_all
from api.demo.day import HOUR, at
from api.demo.ordinary_calls import Everyday, describe, list_buckets, s3_list, s3_object, table_item
from api.demo.people import failing, root_without_session
from api.demo.refusals import denied, too_many_versions, wrong_code
from api.demo.sessions import NOBODY
from api.demo.stage import Stage
from api.demo.whereabouts import BROWSER, EU, KALI, KALI_CLI, MAIN, PROD_DATA, SPRAYER, US

_SPRAYED = [
    NOBODY,
    NOBODY,
    "mara.lindqvist",
    "tom.okafor",
    "nadia.petrov",
    "iris.chen",
    "ben.haddad",
    "sofia.marques",
    "jonas.weber",
    "priya.nair",
    "luca.romano",
    "helen.brandt",
    "omar.said",
    NOBODY,
]
_DEPLOY = f"arn:aws:iam::{MAIN}:policy/LarkspurDeploy"
_USERS = f"arn:aws:iam::{MAIN}:user/"

# What the leaked key may not do: action, resource as the refusal names it, parameters where they are kept.
_PROBES = [
    ("iam:ListUsers", _USERS),
    ("iam:GetAccountAuthorizationDetails", "*"),
    ("iam:ListRoles", f"arn:aws:iam::{MAIN}:role/"),
    ("iam:ListAttachedUserPolicies", "user ci-deploy"),
    ("iam:ListAccessKeys", "user ci-deploy"),
    ("s3:ListBuckets", "*"),
    ("secretsmanager:ListSecrets", "*"),
    ("ssm:DescribeParameters", f"arn:aws:ssm:us-east-1:{MAIN}:*"),
    ("kms:ListKeys", "*"),
    ("dynamodb:ListTables", f"arn:aws:dynamodb:us-east-1:{MAIN}:table/*"),
    ("rds:DescribeDBInstances", f"arn:aws:rds:us-east-1:{MAIN}:db:*"),
    ("cloudtrail:DescribeTrails", "*"),
    ("guardduty:ListDetectors", "*"),
    ("ses:GetSendQuota", "*"),
    ("organizations:DescribeOrganization", "*"),
    ("bedrock:ListFoundationModels", "*"),
]
_ASKED_AGAIN = [
    "iam:ListUsers",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListRoles",
    "iam:ListAccessKeys",
    "s3:ListBuckets",
    "secretsmanager:ListSecrets",
    "dynamodb:ListTables",
    "cloudtrail:DescribeTrails",
]


def break_in(stage: Stage) -> None:
    _spray(stage)
    stage.loot.held["leaked"] = stage.company.keys["ci-deploy"]
    _probe(stage)
    _take_a_session(stage)
    _escalate(stage)
    _add_second_factor(stage)
    _chain_roles(stage)
    _federate(stage)


def _spray(stage: Stage) -> None:
    """One password for everybody, then the next; and two tries at root."""
    moment = at("12:41:07")
    for attempt in range(2):
        for name in _SPRAYED:
            if name == NOBODY:
                identity = {"type": "IAMUser", "accountId": MAIN, "accessKeyId": "", "userName": NOBODY}
                caller = Caller(Credential("console", identity, MAIN, "", NOBODY), SPRAYER)
            else:
                caller = failing(stage.company.user(name), SPRAYER)
            act = stage.sessions.sign_in_fails(moment, caller)
            stage.loot.acts.setdefault("first", act)
            moment += 31 + 4 * attempt
    for wait in (40, 95):
        stage.sessions.sign_in_fails(moment + wait, Caller(root_without_session(MAIN), SPRAYER))


def _probe(stage: Stage) -> None:
    leaked = stage.holder("leaked", KALI)
    moment = at("13:07:12")
    stage.loot.acts["leak"] = Everyday("sts:GetCallerIdentity").by(stage.trail, moment, leaked, US)
    for number, (action, resource) in enumerate(_PROBES):
        _refused_probe(stage, moment + 7 + number * 2, leaked, action, resource)
    reads = [
        Everyday("iam:GetUser"),
        Everyday("iam:ListGroupsForUser", {"userName": "ci-deploy"}),
        Everyday("iam:ListAttachedGroupPolicies", {"groupName": "ci"}),
        Everyday("iam:GetPolicy", {"policyArn": _DEPLOY}),
        Everyday("iam:GetPolicyVersion", {"policyArn": _DEPLOY, "versionId": "v7"}),
        Everyday("iam:ListPolicyVersions", {"policyArn": _DEPLOY}),
        Everyday("lambda:ListFunctions20150331"),
        Everyday("lambda:GetFunction20150331v2", {"functionName": "invoice-renderer"}),
        describe("DescribeInstances", instancesSet={}),
        describe("DescribeSecurityGroups", securityGroupSet={}, securityGroupIdSet={}),
    ]
    stage.look(moment + 75, leaked, reads)
    refusal = denied(leaked, "ec2:DescribeInstances", "*")
    for wait in (115, 118):
        describe("DescribeInstances", instancesSet={}).by(stage.trail, moment + wait, leaked, EU, refusal)
    text = stage.trail.identifiers.encoded_failure()
    request = {
        "instancesSet": {"items": [{"imageId": "ami-0f1e2d3c4b5a69788", "minCount": 1, "maxCount": 4}]}
    }
    refusal = denied(leaked, "ec2:RunInstances", "*", encoded=text)
    stage.trail.call(moment + 140, leaked, "ec2:RunInstances", request, region=EU, refusal=refusal)


def _refused_probe(stage: Stage, moment: int, caller: Caller, action: str, resource: str) -> None:
    asked = action.replace("s3:ListBuckets", "s3:ListAllMyBuckets")
    request = {"Host": "s3.us-east-1.amazonaws.com"} if action == "s3:ListBuckets" else None
    act = stage.trail.call(moment, caller, action, request, refusal=denied(caller, asked, resource))
    stage.loot.acts[f"refused {action}"] = act


def _take_a_session(stage: Stage) -> None:
    """Good for 36 hours, whatever becomes of the key."""
    leaked = stage.holder("leaked", KALI_CLI)
    stage.loot.held["session"] = stage.sessions.get_session_token(at("13:14:20"), leaked, seconds=36 * HOUR)
    session = stage.holder("session", KALI_CLI)
    calls = [
        Everyday("sts:GetCallerIdentity"),
        s3_list("larkspur-tfstate", "", US),
        s3_object("GetObject", "larkspur-tfstate", "network/terraform.tfstate", US),
        s3_object("GetObject", "larkspur-tfstate", "database/terraform.tfstate", US),
        s3_list("larkspur-artifacts", "", US),
    ]
    stage.look(at("13:14:51"), session, calls, pause=11)


def _escalate(stage: Stage) -> None:
    """A policy that may be rewritten by those under it."""
    leaked = stage.holder("leaked", KALI_CLI)
    user, admin = "user ci-deploy", "arn:aws:iam::aws:policy/AdministratorAccess"
    iam = stage.iam
    iam.refused(
        at("13:22:03"),
        leaked,
        "AttachUserPolicy",
        denied(leaked, "iam:AttachUserPolicy", user),
        {"policyArn": admin},
    )
    iam.refused(at("13:22:40"), leaked, "CreateAccessKey", denied(leaked, "iam:CreateAccessKey", user))
    _break_glass_refused(stage, at("13:24:10"), leaked)
    document = allow_all("Temp")
    request = {"policyArn": _DEPLOY, "setAsDefault": True}
    iam.refused(at("13:26:11"), leaked, "CreatePolicyVersion", too_many_versions(), request)
    iam.delete_policy_version(at("13:26:30"), leaked, _DEPLOY, "v3")
    iam.create_policy_version(at("13:26:48"), leaked, _DEPLOY, document)
    stage.loot.acts["escalation"] = stage.trail.acts[-1]
    moment = at("13:27:30")
    for number, action in enumerate(_ASKED_AGAIN):
        call = list_buckets(US) if action == "s3:ListBuckets" else Everyday(action)
        act = call.by(stage.trail, moment + number * 2, leaked, US)
        stage.loot.acts[f"granted {action}"] = act
    _break_glass_refused(stage, at("13:28:10"), leaked)


def _break_glass_refused(stage: Stage, moment: int, caller: Caller) -> None:
    role = stage.company.face("LarkspurBreakGlass")
    stage.trail.call(moment, caller, "sts:AssumeRole", refusal=denied(caller, "sts:AssumeRole", role.arn))


def _add_second_factor(stage: Stage) -> None:
    """A role that asks for a second factor gets one: their own."""
    leaked = stage.holder("leaked", KALI_CLI)
    serial = stage.iam.create_mfa_device(at("13:29:05"), leaked, "ci-deploy-token")
    request = {"userName": "ci-deploy", "serialNumber": serial}
    stage.iam.refused(at("13:29:31"), leaked, "EnableMFADevice", wrong_code(), request)
    stage.iam.enable_mfa_device(at("13:30:02"), leaked, "ci-deploy", serial)
    stage.loot.serial = serial
    stage.loot.held["session with mfa"] = stage.sessions.get_session_token(
        at("13:31:10"), leaked, seconds=12 * HOUR, mfa_serial=serial
    )


def _chain_roles(stage: Stage) -> None:
    """Key, break-glass role, pipeline role, and from there into the other account."""
    leaked = stage.holder("leaked", KALI_CLI)
    held, sessions = stage.loot.held, stage.sessions
    role = stage.company.face("LarkspurBreakGlass")
    held["break glass"] = sessions.assume_role(
        at("13:32:00"), leaked, role, "ops-review", mfa_serial=stage.loot.serial
    )
    first = stage.holder("break glass", KALI_CLI)
    stage.look(at("13:32:21"), first, [Everyday("sts:GetCallerIdentity"), Everyday("iam:ListRoles")])
    role = stage.company.face("LarkspurDataPipeline")
    held["pipeline"] = sessions.assume_role(at("13:33:10"), first, role, "etl-check")
    second = stage.holder("pipeline", KALI_CLI)
    stage.look(
        at("13:33:24"), second, [Everyday("sts:GetCallerIdentity"), s3_list("larkspur-shipments", "", US)]
    )
    held["backup operator"] = sessions.assume_role(
        at("13:34:02"), second, stage.company.backup_operator, "restore-test"
    )
    third = stage.holder("backup operator", KALI)
    calls = [
        Everyday("sts:GetCallerIdentity"),
        list_buckets(US),
        s3_list("larkspur-prod-data", "exports/", US),
    ]
    calls += [
        s3_object("GetObject", "larkspur-prod-data", f"exports/2026-03-16/{n:03}.parquet", US)
        for n in range(14)
    ]
    calls += [Everyday("dynamodb:ListTables"), table_item("Scan", "larkspur-consignments", "", US, PROD_DATA)]
    stage.look(at("13:34:25"), third, calls, pause=6)
    vault = f"arn:aws:backup:us-east-1:{PROD_DATA}:backup-vault:Default"
    for number, name in enumerate(("DeleteRecoveryPoint", "DeleteBackupVault")):
        refusal = denied(third, f"backup:{name}", vault)
        stage.trail.call(at("13:37:50") + 6 * number, third, f"backup:{name}", refusal=refusal)


def _federate(stage: Stage) -> None:
    """From a key to a console, as it is often done: a federation token, a sign-in link, a browser."""
    leaked = stage.holder("leaked", KALI)
    stage.loot.held["federated"] = stage.sessions.get_federation_token(
        at("13:41:15"), leaked, "deploy-console", allow_all("Stmt1"), seconds=12 * HOUR
    )
    federated = stage.holder("federated", KALI)
    stage.look(at("13:41:40"), federated, [Everyday("sts:GetCallerIdentity"), list_buckets(US)])
    bare = {key: value for key, value in federated.credential.identity.items() if key != "accessKeyId"}
    face = Credential("federation", bare, MAIN, federated.credential.arn, "ci-deploy")
    stage.loot.held["federated console"] = stage.sessions.console_of_federated(
        at("13:42:05"), federated, Caller(face, BROWSER)
    )
    console = stage.holder("federated console", BROWSER)
    calls = [
        describe("DescribeInstances", instancesSet={}, maxResults=100),
        list_buckets(US),
        Everyday("secretsmanager:ListSecrets", {"maxResults": 100}),
        Everyday("lambda:ListFunctions20150331", {"maxItems": 50}),
    ]
    stage.look(at("13:42:40"), console, calls, pause=17)
