"""The working day of the people: signing in, looking around, and now and then changing something."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from random import Random

from api.demo.callers import Caller, Client, Credential, root
from api.demo.company import Company
from api.demo.day import SNAPSHOT_AT, at
from api.demo.iam_calls import IamCalls
from api.demo.ordinary_calls import (
    OFFICE_HOURS,
    Everyday,
    Maker,
    always,
    describe,
    list_buckets,
    make_all,
    moments,
    s3_bucket,
    s3_list,
    s3_object,
    secret,
    table_item,
)
from api.demo.refusals import denied, no_such_role, throttled
from api.demo.sessions import Sessions
from api.demo.trail import Trail
from api.demo.whereabouts import CHROME, FIREFOX, MAIN, OFFICE, OFFICE_CLI, REMOTE, REMOTE_CLI, TERRAFORM, US

_SIGN_INS = {
    "mara.lindqvist": ("07:58:12", OFFICE),
    "tom.okafor": ("08:21:40", REMOTE),
    "nadia.petrov": ("08:40:03", OFFICE),
    "iris.chen": ("07:31:55", OFFICE),
    "ben.haddad": ("08:47:21", REMOTE),
    "sofia.marques": ("09:02:37", OFFICE),
    "jonas.weber": ("08:11:09", OFFICE),
    "priya.nair": ("07:49:30", REMOTE),
    "luca.romano": ("09:26:44", OFFICE),
    "helen.brandt": ("08:05:16", OFFICE),
    "omar.said": ("10:14:52", OFFICE),
}
_LAST_CALL = {"tom.okafor": "12:40:00"}  # the afternoon off
_LOOKS = {"mara.lindqvist": 260, "tom.okafor": 170, "nadia.petrov": 230, "helen.brandt": 130, "omar.said": 90}
_DEVELOPER_LOOKS = 370


class People:
    def __init__(self, company: Company, trail: Trail, iam: IamCalls, sessions: Sessions) -> None:
        self.company = company
        self.trail = trail
        self.iam = iam
        self.sessions = sessions
        self.random = Random(trail.identifiers.random.getrandbits(64))
        self.consoles: dict[str, Caller] = {}

    def run(self) -> None:
        self._mistype()
        for name, (clock, client) in _SIGN_INS.items():
            self.consoles[name] = self._sign_in(name, clock, client)
            self._look_around(name)
        self._use_command_line()
        self._read_the_other_account()
        self._are_refused()
        self._pay_the_bill()
        self._welcome_a_colleague()
        self._rotate_keys()

    def _sign_in(self, name: str, clock: str, client: Client) -> Caller:
        user = self.company.user(name)
        serial = self.company.account.users[name].mfa[0]
        credential = self.sessions.sign_in(at(clock), user, Caller(user, client), mfa_serial=serial)
        return Caller(credential, client)

    def _mistype(self) -> None:
        for name, clock, client in (
            ("sofia.marques", "09:01:44", OFFICE),
            ("sofia.marques", "09:02:10", OFFICE),
            ("luca.romano", "09:26:02", OFFICE),
        ):
            self.sessions.sign_in_fails(at(clock), failing(self.company.user(name), client), mfa_used=True)

    def _look_around(self, name: str) -> None:
        caller = self.consoles[name]
        last = at(_LAST_CALL.get(name, "18:30:00"))
        since = at(_SIGN_INS[name][0])
        count = _LOOKS.get(name, _DEVELOPER_LOOKS)
        when = [moment for moment in moments(self.random, OFFICE_HOURS, count) if since < moment < last]
        makers = _MONEY if name in ("helen.brandt", "omar.said") else _LOOKING
        if name in ("mara.lindqvist", "tom.okafor", "nadia.petrov"):
            makers = _CARING
        make_all(self.trail, self.random, when, always(caller), US, makers)

    def _use_command_line(self) -> None:
        for name, client, region in (
            ("iris.chen", OFFICE_CLI, US),
            ("ben.haddad", REMOTE_CLI, "eu-west-1"),
            ("jonas.weber", OFFICE_CLI, "eu-west-1"),
        ):
            caller = Caller(self.company.keys[name], client)
            when = moments(self.random, OFFICE_HOURS, 240)
            make_all(self.trail, self.random, when, always(caller), region, _TYPING)
            for moment in moments(self.random, OFFICE_HOURS, 6):
                self.trail.call(
                    moment,
                    caller,
                    "ec2:DescribeInstances",
                    {"instancesSet": {}, "filterSet": {}},
                    region=region,
                    refusal=throttled("ec2"),
                )

    def _read_the_other_account(self) -> None:
        """Honest movement between the accounts, for comparison."""
        for name, client, clock in (
            ("iris.chen", OFFICE_CLI, "09:33:10"),
            ("priya.nair", REMOTE_CLI, "10:51:27"),
            ("iris.chen", OFFICE_CLI, "14:03:36"),
        ):
            caller = Caller(self.company.keys[name], client)
            session = self.sessions.assume_role(at(clock), caller, self.company.data_reader, name)
            reader = Caller(session, client)
            for step in range(18):
                call = s3_object(
                    "GetObject", "larkspur-prod-data", f"exports/2026-03-16/{step:03}.parquet", US
                )
                call.by(self.trail, at(clock) + 4 + 7 * step, reader, US)

    def _are_refused(self) -> None:
        """The small refusals of every day, which nobody should be alarmed by."""
        account = f"arn:aws:iam::{MAIN}"
        iris, ben, luca = (self.consoles[name] for name in ("iris.chen", "ben.haddad", "luca.romano"))
        for clock, caller, name in (("09:47:12", iris, "ListUsers"), ("13:31:58", ben, "ListRoles")):
            folder = "user" if name == "ListUsers" else "role"
            self.iam.refused(at(clock), caller, name, denied(caller, f"iam:{name}", f"{account}:{folder}/"))
        for clock, caller in (("10:20:31", luca), ("10:20:49", luca), ("15:42:07", ben)):
            call = s3_object("GetObject", "larkspur-finance", "books/2026-02.xlsx", US)
            refusal = denied(caller, "s3:GetObject", "arn:aws:s3:::larkspur-finance/books/2026-02.xlsx")
            call.by(self.trail, at(clock), caller, US, refusal)
        helen = self.consoles["helen.brandt"]
        refusal = denied(helen, "ec2:DescribeInstances", "*")
        describe("DescribeInstances", instancesSet={}).by(self.trail, at("11:11:02"), helen, US, refusal)
        mara = Caller(self.company.keys["mara.lindqvist"], Client("192.0.2.10", TERRAFORM))
        self.iam.refused(
            at("09:12:58"),
            mara,
            "GetRole",
            no_such_role("LarkspurThumbnailer"),
            {"roleName": "LarkspurThumbnailer"},
        )
        for step in range(7):
            self.trail.call(
                at("10:02:10") + step * 2,
                mara,
                "ssm:DescribeParameters",
                {"maxResults": 50},
                refusal=throttled("ssm"),
            )

    def _pay_the_bill(self) -> None:
        """The root user once, as it should be: with the second factor, for the invoice."""
        moment = at("08:12:20")
        face = Caller(root_without_session(MAIN), OFFICE)
        serial = f"arn:aws:iam::{MAIN}:mfa/root-account-mfa-device"
        session = Caller(self.sessions.sign_in_as_root(moment, MAIN, face, mfa_serial=serial), OFFICE)
        for step, name in enumerate(("GetCostAndUsage", "GetCostForecast", "GetDimensionValues")):
            self.trail.call(moment + 40 + 9 * step, session, f"ce:{name}", {"Granularity": "MONTHLY"})

    def _welcome_a_colleague(self) -> None:
        """The usual path for a new user: Terraform in an admin's hands."""
        mara = Caller(self.company.keys["mara.lindqvist"], Client("192.0.2.10", TERRAFORM))
        moment = at("09:14:30")
        Everyday("sts:GetCallerIdentity").by(self.trail, moment - 2, mara, US)
        tags = {"ManagedBy": "terraform"}
        user = self.iam.create_user(moment, mara, "noor.hassan", tags=tags)
        self.iam.add_user_to_group(moment + 1, mara, user.name, "developers")
        self.iam.add_user_to_group(moment + 1, mara, user.name, "staff")
        self.iam.create_login_profile(moment + 2, mara, user.name, reset=True)
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        self.iam.create_role(moment + 5, mara, "LarkspurThumbnailer", trust)
        reading = {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": "arn:aws:s3:::larkspur-labels/*",
        }
        self.iam.put_role_policy(
            moment + 5,
            mara,
            "LarkspurThumbnailer",
            "read-labels",
            {"Version": "2012-10-17", "Statement": reading},
        )
        noor = self.company.user("noor.hassan")
        client = Client("192.0.2.10", CHROME)
        first = Caller(
            self.sessions.sign_in(at("09:41:08"), noor, Caller(noor, client), mfa_serial=None), client
        )
        self.trail.call(at("09:41:52"), first, "iam:ChangePassword")
        serial = self.iam.create_mfa_device(at("09:43:10"), first, "noor.hassan")
        self.iam.enable_mfa_device(at("09:43:41"), first, "noor.hassan", serial)
        client = Client("192.0.2.10", FIREFOX)
        credential = self.sessions.sign_in(at("09:46:30"), noor, Caller(noor, client), mfa_serial=serial)
        session = Caller(credential, client)
        when = [moment for moment in moments(self.random, OFFICE_HOURS, 120) if moment > at("09:47:00")]
        make_all(self.trail, self.random, when, always(session), US, _LOOKING)

    def _rotate_keys(self) -> None:
        """One rotation of her own key, one of a machine's key by an admin: both are as they should be."""
        old = self.company.keys["priya.nair"]
        caller = Caller(old, REMOTE_CLI)
        fresh = Caller(
            self.iam.create_access_key(at("11:20:14"), caller, "priya.nair", named=False), REMOTE_CLI
        )
        Everyday("sts:GetCallerIdentity").by(self.trail, at("11:21:02"), fresh, US)
        assert old.key_id
        self.iam.update_access_key(at("11:23:40"), fresh, "priya.nair", old.key_id, "Inactive")
        switched = [SNAPSHOT_AT, at("11:21:02")]
        makers = [caller, fresh]
        when = moments(self.random, OFFICE_HOURS, 200)
        make_all(self.trail, self.random, when, _in_turn(switched, makers), US, _TYPING)

        mara = self.consoles["mara.lindqvist"]
        old = self.company.keys["ci-artifacts"]
        assert old.key_id
        new = self.iam.create_access_key(at("10:22:19"), mara, "ci-artifacts")
        runner = Client(
            "192.0.2.44", "aws-cli/2.24.5 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0-1021 lang/python#3.12.9"
        )
        both = [Caller(old, runner), Caller(new, runner)]
        switched = [SNAPSHOT_AT, at("10:40:00")]
        when = moments(self.random, OFFICE_HOURS, 760)
        make_all(self.trail, self.random, when, _in_turn(switched, both), US, _UPLOADING)
        self.iam.update_access_key(at("11:58:01"), mara, "ci-artifacts", old.key_id, "Inactive")
        self.iam.delete_access_key(at("12:30:44"), mara, "ci-artifacts", old.key_id)


def failing(user: Credential, client: Client) -> Caller:
    """A user who did not get in: known by name and id, without ARN."""
    identity: Mapping[str, object] = {key: value for key, value in user.identity.items() if key != "arn"}
    bare = Credential("console", identity, user.account_id, user.arn, user.owner)
    return Caller(bare, client)


def root_without_session(account_id: str) -> Credential:
    return root(account_id, "", None, mfa=False)


def _in_turn(since: Sequence[int], callers: Sequence[Caller]) -> Callable[[int], Caller]:
    """The caller whose turn it is: the last one that has begun."""
    return lambda moment: callers[bisect.bisect_right(since, moment) - 1]


_LOOKING: list[tuple[int, Maker]] = [
    (9, lambda r, g: describe("DescribeInstances", instancesSet={}, maxResults=100)),
    (6, lambda r, g: describe("DescribeSecurityGroups", securityGroupSet={}, securityGroupIdSet={})),
    (4, lambda r, g: describe("DescribeVolumes", volumeSet={})),
    (8, lambda r, g: Everyday("health:DescribeEventAggregates", {"aggregateField": "eventTypeCategory"})),
    (6, lambda r, g: Everyday("lambda:ListFunctions20150331", {"maxItems": 50})),
    (4, lambda r, g: Everyday("lambda:GetFunction20150331v2", {"functionName": "invoice-renderer"})),
    (7, lambda r, g: Everyday("logs:DescribeLogGroups", {"limit": 50})),
    (9, lambda r, g: Everyday("logs:FilterLogEvents", {"logGroupName": "/aws/lambda/invoice-renderer"})),
    (6, lambda r, g: Everyday("monitoring:DescribeAlarms", {"maxRecords": 100})),
    (4, lambda r, g: Everyday("dynamodb:DescribeTable", {"tableName": "larkspur-tracking"})),
    (3, lambda r, g: Everyday("dynamodb:ListTables")),
    (3, lambda r, g: list_buckets(g)),
    (3, lambda r, g: s3_bucket("GetBucketLocation", "location", "larkspur-dev-web", g)),
    (2, lambda r, g: Everyday("rds:DescribeDBInstances", {"maxRecords": 100})),
    (2, lambda r, g: Everyday("elasticloadbalancing:DescribeLoadBalancers", {"pageSize": 100})),
    (1, lambda r, g: Everyday("secretsmanager:ListSecrets", {"maxResults": 100})),
]
_CARING: list[tuple[int, Maker]] = [
    (6, lambda r, g: describe("DescribeInstances", instancesSet={}, maxResults=100)),
    (5, lambda r, g: Everyday("health:DescribeEventAggregates", {"aggregateField": "eventTypeCategory"})),
    (5, lambda r, g: Everyday("iam:ListUsers", {"maxItems": 1000})),
    (4, lambda r, g: Everyday("iam:ListRoles", {"maxItems": 1000})),
    (4, lambda r, g: Everyday("iam:GetAccountSummary")),
    (3, lambda r, g: Everyday("iam:ListAccessKeys", {"userName": "svc-reporting"})),
    (3, lambda r, g: Everyday("cloudtrail:DescribeTrails", {"includeShadowTrails": True})),
    (3, lambda r, g: Everyday("cloudtrail:GetTrailStatus", {"name": "larkspur-main"})),
    (3, lambda r, g: list_buckets(g)),
]
_MONEY: list[tuple[int, Maker]] = [
    (9, lambda r, g: Everyday("ce:GetCostAndUsage", {"Granularity": "DAILY", "Metrics": ["UnblendedCost"]})),
    (4, lambda r, g: Everyday("ce:GetCostForecast", {"Granularity": "MONTHLY", "Metric": "UNBLENDED_COST"})),
    (
        5,
        lambda r, g: s3_object("GetObject", "larkspur-finance", f"books/2026-{r.randrange(1, 4):02}.xlsx", g),
    ),
    (2, lambda r, g: s3_list("larkspur-finance", "books/", g)),
    (2, lambda r, g: list_buckets(g)),
]
_TYPING: list[tuple[int, Maker]] = [
    (4, lambda r, g: Everyday("sts:GetCallerIdentity")),
    (7, lambda r, g: s3_object("GetObject", "larkspur-dev-web", f"build/{r.randrange(900)}.js", g)),
    (5, lambda r, g: s3_object("PutObject", "larkspur-dev-web", f"build/{r.randrange(900)}.js", g)),
    (5, lambda r, g: describe("DescribeInstances", instancesSet={})),
    (6, lambda r, g: Everyday("logs:FilterLogEvents", {"logGroupName": "/aws/lambda/tracking-ingest"})),
    (3, lambda r, g: Everyday("lambda:ListFunctions20150331")),
    (3, lambda r, g: table_item("Query", "larkspur-tracking", "", g)),
    (1, lambda r, g: secret("dev/web")),
]
_UPLOADING: list[tuple[int, Maker]] = [
    (6, lambda r, g: s3_object("PutObject", "larkspur-artifacts", f"builds/{r.randrange(10**6):06}.zip", g)),
    (2, lambda r, g: s3_object("GetObject", "larkspur-artifacts", f"builds/{r.randrange(10**6):06}.zip", g)),
    (1, lambda r, g: s3_list("larkspur-artifacts", "builds/", g)),
    (1, lambda r, g: Everyday("sts:GetCallerIdentity")),
]
