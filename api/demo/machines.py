"""What runs by itself: servers, functions, AWS's own services, and the jobs of the night."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from api.demo.callers import Caller, Client, Credential, RoleFace, aws_on_behalf_of, role_session
from api.demo.company import Company
from api.demo.day import DAY_END, HOUR, SNAPSHOT_AT, at
from api.demo.ordinary_calls import (
    NIGHTLY,
    ROUND_THE_CLOCK,
    Everyday,
    Maker,
    always,
    key_use,
    make_all,
    moments,
    s3_list,
    s3_object,
    secret,
    table_item,
)
from api.demo.sessions import Sessions
from api.demo.trail import Trail
from api.demo.whereabouts import BACKUP_HOST, EU, MAIN, PROD_DATA, REPORTS_HOST, US

_BOTO = "Boto3/1.37.11 md/Botocore#1.37.11 ua/2.0 os/linux#6.1.129-138.220.amzn2023.x86_64 md/arch#x86_64 lang/python#3.11.11 md/pyimpl#CPython"
_LAMBDA = "Boto3/1.36.26 md/Botocore#1.36.26 ua/2.0 os/linux#5.10.234-248.894.amzn2.x86_64 lang/python#3.13.2 exec-env/AWS_Lambda_python3.13"
_SSM_AGENT = "aws-sdk-go/1.55.5 (go1.23.4; linux; amd64) amazon-ssm-agent/"
_NAT = {US: "192.0.2.80", EU: "192.0.2.90"}
_ENDPOINTS = {US: "vpce-0a4f1be5c20d7731e", EU: "vpce-07cc91d3e85ab6402"}
_REFRESH = 6 * HOUR


@dataclass(slots=True)
class Instance:
    """A server, with the credentials that its role gave it one after the other."""

    instance_id: str
    region: str
    private_address: str
    since: list[int] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)

    def credential_at(self, moment: int) -> Credential:
        return self.credentials[bisect.bisect_right(self.since, moment) - 1]

    def caller_at(self, moment: int) -> Caller:
        """Out to the internet through the NAT gateway."""
        return Caller(self.credential_at(moment), Client(_NAT[self.region], _BOTO))

    def inside_at(self, moment: int) -> Caller:
        """To S3 and DynamoDB through an endpoint, by the private address."""
        client = Client(self.private_address, _BOTO, vpc_endpoint=_ENDPOINTS[self.region])
        return Caller(self.credential_at(moment), client)


class Machines:
    def __init__(self, company: Company, trail: Trail, sessions: Sessions) -> None:
        self.company = company
        self.trail = trail
        self.sessions = sessions
        self.random = Random(trail.identifiers.random.getrandbits(64))
        self.instances = [self._boot(index, region) for index, region in enumerate([US] * 6 + [EU] * 2)]

    def run(self) -> None:
        for instance in self.instances:
            self._serve(instance)
        self._function("LarkspurInvoiceLambda", "invoice-renderer", 900, _invoicing())
        self._function("LarkspurTrackingLambda", "tracking-ingest", 1_150, _tracking())
        self._record_configuration(US, 600)
        self._record_configuration(EU, 260)
        self._report()
        self._back_up()
        self._copy_data()
        self._rotate_keys()

    def _boot(self, index: int, region: str) -> Instance:
        instance = Instance(
            self.trail.identifiers.resource("i"), region, f"10.{20 if region == US else 40}.1.{31 + index}"
        )
        role = self.company.face("LarkspurAppServer")
        start = SNAPSHOT_AT - self.random.randrange(HOUR, 5 * HOUR)
        while start < DAY_END:
            instance.since.append(start)
            instance.credentials.append(self._instance_credential(instance, role, start))
            start += _REFRESH
        return instance

    def _instance_credential(self, instance: Instance, role: RoleFace, start: int) -> Credential:
        arn = f"arn:aws:ec2:{instance.region}:{MAIN}:instance/{instance.instance_id}"
        extra = {"inScopeOf": {"issuerType": "AWS::EC2::Instance", "credentialsIssuedTo": arn}}
        if start >= SNAPSHOT_AT:
            return self.sessions.assume_for_service(
                start, "ec2.amazonaws.com", role, instance.instance_id, region=instance.region, extra=extra
            )
        key_id = self.trail.identifiers.key_id("ASIA", MAIN)
        return role_session(
            role,
            instance.instance_id,
            key_id,
            start,
            owner=instance.instance_id,
            kind="instance",
            extra=extra,
        )

    def _serve(self, instance: Instance) -> None:
        count = 1_110 if instance.region == US else 760
        inside = moments(self.random, ROUND_THE_CLOCK, count * 4 // 5)
        outside = moments(self.random, ROUND_THE_CLOCK, count // 5)
        make_all(self.trail, self.random, inside, instance.inside_at, instance.region, _serving())
        make_all(self.trail, self.random, outside, instance.caller_at, instance.region, _calling_out())
        agent = Client(_NAT[instance.region], _SSM_AGENT)
        for moment in range(SNAPSHOT_AT + self.random.randrange(300), DAY_END, 30 * 60):
            request = {
                "instanceId": instance.instance_id,
                "agentVersion": "3.3.1802.0",
                "agentStatus": "Active",
                "platformType": "Linux",
                "agentName": "amazon-ssm-agent",
            }
            caller = instance.caller_at(moment).on(agent)
            self.trail.call(moment, caller, "ssm:UpdateInstanceInformation", request, region=instance.region)

    def _function(self, role: str, function: str, count: int, makers: Sequence[tuple[int, Maker]]) -> None:
        arn = f"arn:aws:lambda:{US}:{MAIN}:function:{function}"
        extra = {
            "inScopeOf": {
                "sourceArn": arn,
                "sourceAccount": MAIN,
                "issuerType": "AWS::Lambda::Function",
                "credentialsIssuedTo": arn,
            }
        }
        face = self.company.face(role)
        when = moments(self.random, ROUND_THE_CLOCK, count)
        for hour in range(24):
            start = SNAPSHOT_AT + hour * HOUR + self.random.randrange(60)
            credential = self.sessions.assume_for_service(
                start, "lambda.amazonaws.com", face, function, region=US, extra=extra
            )
            caller = Caller(credential, Client(_NAT[US], _LAMBDA))
            now = [moment for moment in when if start < moment <= start + HOUR]
            make_all(self.trail, self.random, now, always(caller), US, makers)

    def _record_configuration(self, region: str, count: int) -> None:
        """AWS Config looks around through its service-linked role."""
        face = self.company.face("AWSServiceRoleForConfig")
        client = Client("config.amazonaws.com", "config.amazonaws.com", "aws")
        names = [
            "DescribeInstances",
            "DescribeSecurityGroups",
            "DescribeVolumes",
            "DescribeSubnets",
            "DescribeVpcs",
        ]
        for start in range(SNAPSHOT_AT + 400, DAY_END, 2 * HOUR):
            credential = self.sessions.assume_for_service(
                start, "config.amazonaws.com", face, "configLambdaExecution", region=region
            )
            for _ in range(count // 12):
                moment = start + self.random.randrange(1, 1_800)
                call = Everyday(f"ec2:{self.random.choice(names)}", {"filterSet": {}})
                call.by(self.trail, moment, Caller(credential, client), region)

    def _report(self) -> None:
        caller = Caller(self.company.keys["svc-reporting"], REPORTS_HOST)
        when = moments(self.random, NIGHTLY, 640)
        make_all(self.trail, self.random, when, always(caller), US, _reporting())

    def _back_up(self) -> None:
        caller = Caller(self.company.keys["svc-backup"], BACKUP_HOST)
        for start in range(at("00:17:00"), DAY_END, HOUR):
            Everyday("sts:GetCallerIdentity").by(self.trail, start, caller, US)
            Everyday("ec2:DescribeVolumes", {"filterSet": {}, "volumeSet": {}}).by(
                self.trail, start + 2, caller, US
            )
            for step in range(9):
                key = f"larkspur-tms/{start + step}.wal.zst"
                s3_object("PutObject", "larkspur-backups", key, US).by(
                    self.trail, start + 5 + step * 4, caller, US
                )

    def _copy_data(self) -> None:
        """The second account: AWS Backup copies, a service reads and writes."""
        face = self.company.backup_service
        for start in range(SNAPSHOT_AT + 90, DAY_END, HOUR):
            credential = self.sessions.assume_for_service(
                start, "backup.amazonaws.com", face, "AWSBackup-AWSBackupDefaultServiceRole", region=US
            )
            client = Client("backup.amazonaws.com", "backup.amazonaws.com", "aws")
            caller = Caller(credential, client)
            for _ in range(62):
                moment = min(start + self.random.randrange(1, HOUR), DAY_END)
                key = f"vault/{self.random.randrange(4_000):05}.part"
                name = self.random.choice(["GetObject", "PutObject", "PutObject"])
                s3_object(name, "larkspur-prod-data", key, US).by(self.trail, moment, caller, US)
            for _ in range(31):
                moment = min(start + self.random.randrange(1, HOUR), DAY_END)
                call = table_item(
                    "GetItem", "larkspur-consignments", f"C{self.random.randrange(90_000)}", US, PROD_DATA
                )
                call.by(self.trail, moment, caller, US)

    def _rotate_keys(self) -> None:
        details = {"keyId": "1b7e0c44-93a1-4a5e-8d0f-6c2f5a1d9e73"}
        caller = aws_on_behalf_of(MAIN, "AWS Internal")
        self.trail.service_event(at("03:12:44"), caller, "kms:RotateKey", details, region=US)


def _serving() -> list[tuple[int, Maker]]:
    return [
        (
            30,
            lambda r, g: s3_object(
                "GetObject", "larkspur-shipments", f"2026/03/17/S{r.randrange(90_000)}.json", g
            ),
        ),
        (
            12,
            lambda r, g: s3_object(
                "PutObject", "larkspur-labels", f"2026/03/17/L{r.randrange(90_000)}.pdf", g
            ),
        ),
        (4, lambda r, g: s3_list("larkspur-shipments", "2026/03/17/", g)),
        (26, lambda r, g: table_item("GetItem", "larkspur-tracking", f"T{r.randrange(90_000)}", g)),
        (12, lambda r, g: table_item("PutItem", "larkspur-tracking", f"T{r.randrange(90_000)}", g)),
        (10, lambda r, g: table_item("Query", "larkspur-consignments", "", g)),
    ]


def _calling_out() -> list[tuple[int, Maker]]:
    return [
        (20, lambda r, g: key_use("Decrypt", "larkspur-shipments", g)),
        (8, lambda r, g: key_use("GenerateDataKey", "larkspur-labels", g)),
        (4, lambda r, g: secret("app/tms-database")),
        (3, lambda r, g: Everyday("ec2:DescribeTags", {"filterSet": {}})),
    ]


def _invoicing() -> list[tuple[int, Maker]]:
    return [
        (10, lambda r, g: table_item("UpdateItem", "larkspur-invoices", f"I{r.randrange(9_000)}", g)),
        (
            6,
            lambda r, g: s3_object("PutObject", "larkspur-finance", f"invoices/I{r.randrange(9_000)}.pdf", g),
        ),
        (3, lambda r, g: key_use("GenerateDataKey", "larkspur-finance", g)),
    ]


def _tracking() -> list[tuple[int, Maker]]:
    return [
        (12, lambda r, g: table_item("UpdateItem", "larkspur-tracking", f"T{r.randrange(90_000)}", g)),
        (
            4,
            lambda r, g: s3_object(
                "GetObject", "larkspur-shipments", f"2026/03/17/S{r.randrange(90_000)}.json", g
            ),
        ),
    ]


def _reporting() -> list[tuple[int, Maker]]:
    query = {"queryString": "HIDDEN_DUE_TO_SECURITY_REASONS", "workGroup": "reports"}
    return [
        (
            12,
            lambda r, g: s3_object(
                "GetObject", "larkspur-reports", f"daily/part-{r.randrange(400):04}.parquet", g
            ),
        ),
        (2, lambda r, g: Everyday("athena:StartQueryExecution", query)),
        (
            3,
            lambda r, g: Everyday(
                "athena:GetQueryExecution", {"queryExecutionId": f"q-{r.randrange(10**9):09}"}
            ),
        ),
        (2, lambda r, g: Everyday("glue:GetTable", {"databaseName": "freight", "name": "consignments"})),
        (2, lambda r, g: s3_list("larkspur-reports", "daily/", g)),
    ]
