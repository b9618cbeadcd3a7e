"""Writes calls as CloudTrail records, and remembers what really lay behind each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.demo.callers import Caller
from api.demo.day import iso
from api.demo.identifiers import Identifiers
from api.demo.refusals import Refusal

Json = Mapping[str, Any]

_VERSIONS = {
    "sts": "1.08",
    "signin": "1.08",
    "health": "1.08",
    "ec2": "1.10",
    "lambda": "1.10",
    "rds": "1.09",
}
_NEWEST_VERSION = "1.11"
_API_VERSIONS = {"logs": "20140328", "dynamodb": "2012-08-10"}
_READS = ("Get", "List", "Describe", "Head", "Lookup", "Decrypt", "GenerateDataKey", "Query", "Scan", "Batch")
_NO_READS = {"GetFederationToken", "GetSessionToken", "GetSigninToken"}
_DATA = {
    "s3": {"GetObject", "PutObject", "HeadObject", "DeleteObject", "ListObjects"},
    "dynamodb": {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem"},
    "lambda": {"Invoke"},
}
_GLOBAL = {"iam", "organizations"}
_TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}


@dataclass(frozen=True, slots=True, eq=False)
class Act:
    """One call: its record, and the caller as he was, which no record tells."""

    record: dict[str, Any]
    caller: Caller
    moment: int
    event_id: str
    account_id: str
    region: str
    is_data: bool

    @property
    def name(self) -> str:
        return str(self.record["eventName"])

    @property
    def source(self) -> str:
        return str(self.record["eventSource"]).removesuffix(".amazonaws.com")

    @property
    def failed(self) -> bool:
        return "errorMessage" in self.record

    @property
    def changes(self) -> bool:
        """A management call that was no read and succeeded."""
        return not (self.record["readOnly"] or self.failed or self.is_data)


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a trail delivered nothing (of a region, of data events); ends are exclusive."""

    account_id: str
    start: int
    end: int
    region: str | None = None
    only_data: bool = False

    def swallows(self, act: Act) -> bool:
        return (
            act.account_id == self.account_id
            and self.start < act.moment < self.end
            and self.region in (None, act.region)
            and (act.is_data or not self.only_data)
        )


class Trail:
    """All acts of the day in the order in which they happened to be told, seen or not."""

    def __init__(self, identifiers: Identifiers) -> None:
        self.identifiers = identifiers
        self.acts: list[Act] = []
        self.outages: list[Outage] = []

    def delivered(self) -> list[Act]:
        """What the trails of both accounts let through, by time and event id."""
        seen = [act for act in self.acts if not any(outage.swallows(act) for outage in self.outages)]
        return sorted(seen, key=lambda act: (act.moment, act.event_id))

    def swallowed(self) -> list[Act]:
        lost = [act for act in self.acts if any(outage.swallows(act) for outage in self.outages)]
        return sorted(lost, key=lambda act: (act.moment, act.event_id))

    def call(
        self,
        moment: int,
        caller: Caller,
        action: str,
        request: Json | None = None,
        response: Json | None = None,
        *,
        region: str = "us-east-1",
        refusal: Refusal | None = None,
        resources: Sequence[tuple[str, str]] = (),
        account_id: str | None = None,
        shared: str | None = None,
        request_id: str | None = None,
        more: Json | None = None,
    ) -> Act:
        """One API call. `action` is `service:EventName`; `resources` are (ARN, type); `more` is additionalEventData."""
        service, name = action.split(":")
        ids = self.identifiers
        recipient = account_id or caller.credential.account_id
        client = caller.client
        is_data = name in _DATA.get(service, ())
        version = _VERSIONS.get(service, _NEWEST_VERSION)
        event_id = ids.uuid()
        if service in _GLOBAL:
            region = "us-east-1"
        if refusal and not refusal.keeps_request:
            request = None
        record: dict[str, Any] = {
            "eventVersion": version,
            "userIdentity": caller.credential.identity,
            "eventTime": iso(moment),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": client.address,
            "userAgent": f"[{client.agent}]" if service == "s3" else client.agent,
        }
        if refusal:
            record |= {"errorCode": refusal.code} if refusal.code else {}
            record["errorMessage"] = refusal.message
        record |= {"requestParameters": request, "responseElements": response}
        if service == "s3":
            more = self._s3_extras(more, failed=refusal is not None)
        if more:
            record["additionalEventData"] = more
        if service != "signin":
            record["requestID"] = request_id or self._request_id(service)
        record |= {"eventID": event_id, "readOnly": name.startswith(_READS) and name not in _NO_READS}
        if action == "sts:AssumeRole":
            record["readOnly"] = True  # so AWS says
        if resources and not (refusal and service in ("sts", "ssm", "kms")):
            record["resources"] = [_resource(arn, kind, recipient) for arn, kind in resources]
        record["eventType"] = "AwsConsoleSignIn" if service == "signin" else "AwsApiCall"
        if service in _API_VERSIONS:
            record["apiVersion"] = _API_VERSIONS[service]
        record |= {"managementEvent": not is_data, "recipientAccountId": recipient}
        if shared:
            record["sharedEventID"] = shared
        if client.vpc_endpoint:
            record |= {"vpcEndpointId": client.vpc_endpoint, "vpcEndpointAccountId": recipient}
        record["eventCategory"] = "Data" if is_data else "Management"
        if client.address[0].isdigit():
            host = request["Host"] if service == "s3" and request else _host(service, region)
            record["tlsDetails"] = _TLS | {"clientProvidedHostHeader": host}
        if caller.credential.kind == "console" and service not in ("signin", "s3"):
            record["sessionCredentialFromConsole"] = "true"
        return self._keep(record, caller, moment, recipient, region, is_data=is_data)

    def service_event(self, moment: int, caller: Caller, action: str, details: Json, *, region: str) -> Act:
        """Something that AWS did by itself and tells: no request, no response, its own details."""
        service, name = action.split(":")
        account_id = caller.credential.account_id
        record: dict[str, Any] = {
            "eventVersion": _VERSIONS.get(service, _NEWEST_VERSION),
            "userIdentity": caller.credential.identity,
            "eventTime": iso(moment),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": caller.client.address,
            "userAgent": caller.client.agent,
            "requestParameters": None,
            "responseElements": None,
            "eventID": self.identifiers.uuid(),
            "readOnly": False,
            "eventType": "AwsServiceEvent",
            "managementEvent": True,
            "recipientAccountId": account_id,
            "serviceEventDetails": details,
            "eventCategory": "Management",
        }
        return self._keep(record, caller, moment, account_id, region, is_data=False)

    def _keep(
        self,
        record: dict[str, Any],
        caller: Caller,
        moment: int,
        account_id: str,
        region: str,
        *,
        is_data: bool,
    ) -> Act:
        act = Act(record, caller, moment, record["eventID"], account_id, region, is_data)
        self.acts.append(act)
        return act

    def _request_id(self, service: str) -> str:
        if service == "s3":
            return self.identifiers.capitals(16)
        if service == "dynamodb":
            return self.identifiers.capitals(52)
        return self.identifiers.uuid()

    def _s3_extras(self, given: Json | None, *, failed: bool) -> Json:
        out = 243 if failed else self.identifiers.random.randrange(300, 90_000)
        return {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0,
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": self.identifiers.extended_request_id(),
            "bytesTransferredOut": out,
            **(given or {}),
        }


def _resource(arn: str, kind: str, recipient: str) -> dict[str, str]:
    """The account of a resource is in its ARN, or (of a bucket) is the one that got the record."""
    account = arn.split(":")[4]
    if kind == "AWS::S3::Object":
        return {"type": kind, "ARN": arn}
    return {"accountId": account or recipient, "type": kind, "ARN": arn}


def _host(service: str, region: str) -> str:
    if service == "signin":
        return f"{region}.signin.aws.amazon.com"
    if service in _GLOBAL:
        return f"{service}.amazonaws.com"
    return f"{service}.{region}.amazonaws.com"
