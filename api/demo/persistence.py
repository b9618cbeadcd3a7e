"""What the intruders leave behind in order to come back."""

from api.demo.callers import Caller
from api.demo.company import ADMIN, AWS_POLICY
from api.demo.company_policies import allow_all, role_trusts, trust_of
from api.demo.day import at
from api.demo.iam_calls import text
from api.demo.ordinary_calls import Everyday, list_buckets, s3_list, s3_object
from api.demo.refusals import denied, invalid_principal
from api.demo.stage import Stage
from api.demo.whereabouts import ABROAD, AUDITORS, BROWSER, INTRUDERS, KALI, KALI_CLI, MAIN, US

PLANTED = "svc-datasync"
SHORT_LIVED = "tmp-migrate"
VENDOR_ROLE = "LarkspurVendorSupport"
PROVIDER = "oidc.larkspur-delivery.example"
_GUESSED = [
    "user/admin",
    "user/terraform",
    "role/Administrator",
    "role/Admin",
    "role/Auditor",
    "user/audit",
    "role/ReadOnly",
]


def persist(stage: Stage) -> None:
    _plant_user(stage)
    _take_the_reports(stage)
    _plant_role(stage)
    _widen_trusts(stage)
    _plant_provider(stage)
    _become_tom(stage)
    _come_and_go(stage)


def _plant_user(stage: Stage) -> None:
    iam, held = stage.iam, stage.loot.held
    admin = stage.holder("break glass", KALI)
    moment = at("13:46:05")  # three calls in one second
    iam.create_user(moment, admin, PLANTED)
    iam.attach_user_policy(moment, admin, PLANTED, ADMIN)
    held["planted"] = iam.create_access_key(moment, admin, PLANTED)
    iam.create_login_profile(at("13:47:11"), admin, PLANTED, reset=False)
    iam.add_user_to_group(at("13:47:40"), admin, PLANTED, "admins")
    planted = stage.holder("planted", KALI_CLI)
    Everyday("sts:GetCallerIdentity").by(stage.trail, at("13:48:30"), planted, US)
    held["planted second"] = iam.create_access_key(at("13:49:02"), planted, PLANTED, named=False)
    second = stage.holder("planted second", ABROAD)
    stage.look(at("13:50:10"), second, [Everyday("sts:GetCallerIdentity"), list_buckets(US)])


def _take_the_reports(stage: Stage) -> None:
    """A second key for a machine's user, which nobody will miss."""
    session = stage.holder("session with mfa", KALI_CLI)
    stage.loot.held["reports"] = stage.iam.create_access_key(at("13:50:40"), session, "svc-reporting")
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "dynamodb:*", "iam:Get*", "iam:List*"], "Resource": "*"}
        ],
    }
    stage.iam.put_user_policy(at("13:51:20"), session, "svc-reporting", "reporting-extras", document)
    reports = stage.holder("reports", KALI)
    stage.look(
        at("13:53:05"), reports, [Everyday("sts:GetCallerIdentity"), s3_list("larkspur-finance", "", US)]
    )


def _plant_role(stage: Stage) -> None:
    planted = stage.holder("planted", KALI)
    moment = at("13:54:20")  # again in one second
    trust = trust_of({"AWS": f"arn:aws:iam::{INTRUDERS}:root"})
    stage.iam.create_role(moment, planted, VENDOR_ROLE, trust, "Vendor support access, ticket 4471")
    stage.iam.put_role_policy(moment, planted, VENDOR_ROLE, "support-session", allow_all("Support"))
    stage.iam.attach_role_policy(moment, planted, VENDOR_ROLE, ADMIN)


def _widen_trusts(stage: Stage) -> None:
    """First who exists over there, told by the errors; then two trust policies, one of them of a function."""
    planted = stage.holder("planted", KALI)
    for number, guess in enumerate(_GUESSED):
        arn = f"arn:aws:iam::{AUDITORS}:{guess}"
        request = {"roleName": "LarkspurAuditReader", "policyDocument": text(trust_of({"AWS": arn}))}
        stage.iam.refused(
            at("13:55:40") + 2 * number, planted, "UpdateAssumeRolePolicy", invalid_principal(arn), request
        )
    honest = role_trusts(MAIN, AUDITORS)["LarkspurAuditReader"]["Statement"][0]
    second = trust_of({"AWS": [f"arn:aws:iam::{INTRUDERS}:root"]})["Statement"][0]
    widened = {"Version": "2012-10-17", "Statement": [honest, second]}
    stage.loot.acts["widened"] = stage.iam.update_trust(
        at("13:57:20"), planted, "LarkspurAuditReader", widened
    )

    user = f"arn:aws:iam::{MAIN}:user/{PLANTED}"
    trust = trust_of({"Service": "lambda.amazonaws.com", "AWS": user})
    stage.iam.update_trust(at("13:58:30"), planted, "LarkspurInvoiceLambda", trust)
    role = stage.company.face("LarkspurInvoiceLambda")
    refusal = denied(planted, "sts:AssumeRole", role.arn)  # IAM is only eventually consistent
    stage.trail.call(at("13:58:33"), planted, "sts:AssumeRole", refusal=refusal)
    stage.loot.held["function"] = stage.sessions.assume_role(at("13:58:41"), planted, role, "invoice-check")
    function = stage.holder("function", KALI)
    keys = ["books/2026-01.xlsx", "books/2026-02.xlsx", "payroll/2026-02.csv"]
    calls = [s3_list("larkspur-finance", "", US)]
    calls += [s3_object("GetObject", "larkspur-finance", key, US) for key in keys]
    stage.look(at("13:59:05"), function, calls, pause=5)


def _plant_provider(stage: Stage) -> None:
    planted = stage.holder("planted", KALI)
    stage.iam.create_oidc_provider(at("14:00:30"), planted, PROVIDER, "sts.amazonaws.com")
    stage.iam.delete_user_boundary(at("14:01:20"), planted, "svc-backup")


def _become_tom(stage: Stage) -> None:
    """In the console as the planted user, then as an admin who has the afternoon off."""
    iam, sessions, held = stage.iam, stage.sessions, stage.loot.held
    user = stage.company.user(PLANTED)
    held["planted console"] = sessions.sign_in(at("14:02:10"), user, Caller(user, BROWSER), mfa_serial=None)
    console = stage.holder("planted console", BROWSER)
    stage.look(
        at("14:02:31"),
        console,
        [Everyday("iam:ListUsers", {"maxItems": 1000}), Everyday("iam:GetAccountSummary")],
    )
    serial = stage.company.account.users["tom.okafor"].mfa[0]
    iam.update_login_profile(at("14:03:50"), console, "tom.okafor", reset=False)
    stage.loot.acts["mfa off"] = iam.deactivate_mfa_device(at("14:04:20"), console, "tom.okafor", serial)
    stage.loot.acts["mfa deleted"] = iam.delete_mfa_device(at("14:04:32"), console, serial)
    tom = stage.company.user("tom.okafor")
    held["tom"] = sessions.sign_in(at("14:05:40"), tom, Caller(tom, BROWSER), mfa_serial=None)
    calls = [
        Everyday("iam:GetAccountSummary"),
        Everyday("cloudtrail:DescribeTrails", {"includeShadowTrails": True}),
        Everyday("guardduty:ListDetectors", {"maxResults": 50}),
        Everyday("health:DescribeEventAggregates", {"aggregateField": "eventTypeCategory"}),
    ]
    stage.look(at("14:05:58"), stage.holder("tom", BROWSER), calls, pause=8)


def _come_and_go(stage: Stage) -> None:
    """A user of nine minutes."""
    iam, held = stage.iam, stage.loot.held
    maker = stage.holder("planted second", KALI_CLI)
    reading = f"{AWS_POLICY}AmazonS3ReadOnlyAccess"
    moment = at("14:10:02")
    iam.create_user(moment, maker, SHORT_LIVED)
    iam.attach_user_policy(moment, maker, SHORT_LIVED, reading)
    held["short-lived"] = iam.create_access_key(moment, maker, SHORT_LIVED)
    visitor = stage.holder("short-lived", ABROAD)
    calls = [Everyday("sts:GetCallerIdentity"), list_buckets(US)]
    calls += [
        s3_object("GetObject", "larkspur-finance", f"payroll/2025-{month:02}.csv", US)
        for month in range(4, 13)
    ]
    stage.look(at("14:10:40"), visitor, calls, pause=9)
    moment = at("14:18:40")
    key_id = held["short-lived"].key_id
    assert key_id
    iam.delete_access_key(moment, maker, SHORT_LIVED, key_id)
    iam.detach_user_policy(moment, maker, SHORT_LIVED, reading)
    iam.delete_user(moment, maker, SHORT_LIVED)
