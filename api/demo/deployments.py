"""The runs of Terraform: what the key of `ci-deploy` does when it is in the right hands."""

from random import Random

from api.demo.callers import Caller, Credential
from api.demo.company import Company
from api.demo.day import at
from api.demo.ordinary_calls import Everyday, describe, s3_list, s3_object, table_item
from api.demo.refusals import denied_by
from api.demo.trail import Trail
from api.demo.whereabouts import CI_RUNNER, MAIN, US

RUNS = [
    "06:42:05",
    "07:42:11",
    "08:31:47",
    "09:05:20",
    "09:48:33",
    "10:26:04",
    "11:02:51",
    "11:39:18",
    "12:14:40",
    "13:16:22",
    "13:52:09",
    "14:22:40",
    "14:50:12",
]
RUNS_WITH_NEW_KEY = ["16:52:30", "17:35:14", "18:10:41", "19:03:09"]
RUN_IN_QUARANTINE = "14:15:30"
_ROLES = ["LarkspurAppServer", "LarkspurInvoiceLambda", "LarkspurTrackingLambda"]
_FUNCTIONS = ["invoice-renderer", "tracking-ingest"]
_STATE = "network/terraform.tfstate"


class Deployments:
    def __init__(self, company: Company, trail: Trail) -> None:
        self.company = company
        self.trail = trail
        self.random = Random(trail.identifiers.random.getrandbits(64))

    def run(self, credential: Credential, clocks: list[str]) -> None:
        for clock in clocks:
            self._plan_and_apply(at(clock), Caller(credential, CI_RUNNER))

    def run_in_quarantine(self, credential: Credential, policy_arn: str) -> None:
        """An honest victim of the quarantine: the first read of the state is refused, and the run ends."""
        caller, moment = Caller(credential, CI_RUNNER), at(RUN_IN_QUARANTINE)
        Everyday("sts:GetCallerIdentity").by(self.trail, moment, caller, US)
        resource = f"arn:aws:s3:::larkspur-tfstate/{_STATE}"
        for wait in (1, 3):
            refusal = denied_by(caller, "s3:GetObject", f'"{resource}"', policy_arn)
            s3_object("GetObject", "larkspur-tfstate", _STATE, US).by(
                self.trail, moment + wait, caller, US, refusal
            )

    def _plan_and_apply(self, moment: int, caller: Caller) -> None:
        calls = [
            Everyday("sts:GetCallerIdentity"),
            s3_list("larkspur-tfstate", "env:/", US),
            table_item("PutItem", "larkspur-tflock", "network", US),
            s3_object("GetObject", "larkspur-tfstate", _STATE, US),
            *self._refresh(),
            *self._release(),
            s3_object("PutObject", "larkspur-tfstate", _STATE, US),
            table_item("DeleteItem", "larkspur-tflock", "network", US),
        ]
        for call in calls:
            call.by(self.trail, moment, caller, US)
            moment += self.random.choice([0, 0, 0, 1, 1, 2])

    def _refresh(self) -> list[Everyday]:
        calls = [
            describe("DescribeVpcs", vpcSet={"items": [{"vpcId": "vpc-06b1d41c0e94a7f25"}]}),
            describe("DescribeAvailabilityZones", availabilityZoneSet={}),
            describe("DescribeRouteTables", routeTableIdSet={}),
            describe("DescribeNetworkAcls", networkAclIdSet={}),
            describe("DescribeInternetGateways", internetGatewayIdSet={}),
            describe("DescribeNatGateways"),
        ]
        calls += [
            describe("DescribeSubnets", subnetSet={"items": [{"subnetId": f"subnet-0{n:016x}"}]})
            for n in range(12)
        ]
        calls += [
            describe("DescribeSecurityGroups", securityGroupIdSet={"items": [{"groupId": f"sg-0{n:016x}"}]})
            for n in range(16)
        ]
        calls += [
            describe("DescribeRouteTables", routeTableIdSet={"items": [{"routeTableId": f"rtb-0{n:016x}"}]})
            for n in range(14)
        ]
        for role in _ROLES:
            for name in (
                "GetRole",
                "ListRolePolicies",
                "ListAttachedRolePolicies",
                "ListInstanceProfilesForRole",
            ):
                calls.append(Everyday(f"iam:{name}", {"roleName": role}))
        arn = f"arn:aws:iam::{MAIN}:policy/LarkspurDeploy"
        calls.append(Everyday("iam:GetPolicy", {"policyArn": arn}))
        calls.append(Everyday("iam:GetPolicyVersion", {"policyArn": arn, "versionId": "v7"}))
        calls += [
            Everyday("logs:DescribeLogGroups", {"logGroupNamePrefix": f"/aws/lambda/{name}"})
            for name in _FUNCTIONS
        ]
        self.random.shuffle(calls)
        return calls

    def _release(self) -> list[Everyday]:
        calls = []
        for name in _FUNCTIONS:
            calls.append(Everyday("lambda:GetFunction20150331v2", {"functionName": name}))
            calls.append(
                Everyday("lambda:ListVersionsByFunction20150331", {"functionName": name, "maxItems": 10_000})
            )
        function = self.random.choice(_FUNCTIONS)
        uploaded = {
            "functionName": function,
            "s3Bucket": "larkspur-artifacts",
            "publish": True,
            "dryRun": False,
        }
        return [*calls, Everyday("lambda:UpdateFunctionCode20150331v2", uploaded)]
