"""The condition keys that say whence and how a request came. Source: "AWS global condition context keys"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from ledger.account.change import HIDDEN, Members
from ledger.calls.caller_keys import tag_family
from ledger.calls.context_reader import UNTOLD, Answer, Family, Seen, Untold, tells
from ledger.record import format_time

_OWN_CALLERS: Final = ("Root", "IAMUser", "AssumedRole", "FederatedUser")
# The services that add themselves to aws:CalledVia, as its documentation lists them.
_CALLED_VIA: Final = frozenset(
    {
        "aoss.amazonaws.com",
        "athena.amazonaws.com",
        "backup.amazonaws.com",
        "cloud9.amazonaws.com",
        "cloudformation.amazonaws.com",
        "databrew.amazonaws.com",
        "dataexchange.amazonaws.com",
        "dynamodb.amazonaws.com",
        "imagebuilder.amazonaws.com",
        "kms.amazonaws.com",
        "mgn.amazonaws.com",
        "nimble.amazonaws.com",
        "omics.amazonaws.com",
        "ram.amazonaws.com",
        "robomaker.amazonaws.com",
        "servicecatalog-appregistry.amazonaws.com",
        "sqlworkbench.amazonaws.com",
        "ssm-guiconnect.amazonaws.com",
    }
)
_CONSOLE: Final = "signin.amazonaws.com"  # older records of the console name it so
_NO_ENDPOINT: Final = "absent where the record has no vpcEndpointId"


@tells("aws:CurrentTime", "eventTime", "always")
def _current_time(seen: Seen) -> Answer:
    return (format_time(seen.record.time),)


@tells("aws:EpochTime", "eventTime", "always")
def _epoch_time(seen: Seen) -> Answer:
    return (str(seen.record.time),)


@tells("aws:SourceIp", "sourceIPAddress", "absent where a service calls, or through a VPC endpoint")
def _source_ip(seen: Seen) -> Answer:
    source = seen.text("sourceIPAddress") or ""
    if _is_address(source):
        return None if seen.text("vpcEndpointId") else (source,)
    return None if source.endswith(".amazonaws.com") else UNTOLD


def _by_endpoint(seen: Seen, value: str | None) -> Answer:
    """Where a service calls, the endpoint may be its own, and not one that policies get to see."""
    if not seen.text("vpcEndpointId"):
        return None
    return (value,) if value and _is_address(seen.text("sourceIPAddress") or "") else UNTOLD


@tells("aws:VpcSourceIp", "sourceIPAddress, with vpcEndpointId", _NO_ENDPOINT)
def _vpc_source_ip(seen: Seen) -> Answer:
    return _by_endpoint(seen, seen.text("sourceIPAddress"))


@tells("aws:SourceVpce", "vpcEndpointId", _NO_ENDPOINT)
def _source_vpce(seen: Seen) -> Answer:
    return _by_endpoint(seen, seen.text("vpcEndpointId"))


@tells("aws:VpceAccount", "vpcEndpointAccountId", _NO_ENDPOINT)
def _vpce_account(seen: Seen) -> Answer:
    return _by_endpoint(seen, seen.text("vpcEndpointAccountId"))


@tells("aws:SourceVpc", "vpcEndpointId", _NO_ENDPOINT)
def _source_vpc(seen: Seen) -> Answer:
    return _by_endpoint(seen, None)


@tells("aws:UserAgent", "userAgent", "where the record has it")
def _user_agent(seen: Seen) -> Answer:
    told = seen.text("userAgent")
    return (told,) if told else UNTOLD


@tells("aws:RequestedRegion", "awsRegion", "where the record has it")
def _requested_region(seen: Seen) -> Answer:
    told = seen.text("awsRegion")
    return (told,) if told else UNTOLD


@tells("aws:SecureTransport", "tlsDetails.tlsVersion", "where the record has it")
def _secure_transport(seen: Seen) -> Answer:
    return ("true",) if seen.within("tlsDetails").text("tlsVersion") else UNTOLD


@tells("aws:ViaAWSService", "userIdentity.invokedBy", "always, but for callers of unknown kind")
def _via_service(seen: Seen) -> Answer:
    service = _forwarded_by(seen)
    if seen.kind not in (*_OWN_CALLERS, "AWSService") or service is UNTOLD:
        return UNTOLD
    return ("false",) if service is None else ("true",)


@tells("aws:CalledVia", "userIdentity.invokedBy", "absent without; services before the last are not told")
def _called_via(seen: Seen) -> Answer:
    return _called_via_last(seen)


@tells("aws:CalledViaLast", "userIdentity.invokedBy", "absent without; known for services that set it")
def _called_via_last(seen: Seen) -> Answer:
    service = _forwarded_by(seen)
    if service is None:
        return None
    return (service,) if isinstance(service, str) and service in _CALLED_VIA else UNTOLD


@tells("aws:CalledViaFirst", "userIdentity.invokedBy", "absent without; else not told")
def _called_via_first(seen: Seen) -> Answer:
    return None if _forwarded_by(seen) is None else UNTOLD


@tells("aws:SourceArn", "userIdentity.type", "absent for all but services")
def _source_arn(seen: Seen) -> Answer:
    return None if seen.kind in _OWN_CALLERS else UNTOLD


@tells("aws:SourceAccount", "userIdentity.type", "absent for all but services")
def _source_account(seen: Seen) -> Answer:
    return None if seen.kind in _OWN_CALLERS else UNTOLD


@tells("aws:ResourceAccount", "resources[].accountId", "where the record lists resources of one account")
def _resource_account(seen: Seen) -> Answer:
    listed = seen.record.document.get("resources")
    told = {Members(it).text("accountId") for it in listed} if isinstance(listed, list) else set()
    owners = [it for it in told if it]
    return (owners[0],) if len(owners) == 1 else UNTOLD


@tells("aws:ResourceTag/", "tags handed in; eventContext.tagContext.resourceTags", "as far as they are told")
def _resource_tags(seen: Seen) -> Answer:
    return tag_family(seen, seen.resource_tags, "resourceTags")


@tells("aws:RequestTag/", "tags in requestParameters", "where the record has the request")
def _request_tags(seen: Seen) -> Answer:
    tags = _tags(seen)
    if not seen.request_told or HIDDEN in tags:
        return UNTOLD
    return Family(
        {key: (value,) for key, value in tags.items() if value != HIDDEN}, whole=HIDDEN not in tags.values()
    )


@tells("aws:TagKeys", "tags and tag keys in requestParameters", "where the record has the request")
def _tag_keys(seen: Seen) -> Answer:
    tags = _tags(seen)
    return UNTOLD if HIDDEN in tags else seen.of_request(*tags, *seen.request.texts("tagKeys"))


@lru_cache(maxsize=4_096)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _forwarded_by(seen: Seen) -> str | Untold | None:
    """The service that hands on somebody's call; not one that acts by a role of its own."""
    service, arn = seen.identity.invoked_by, seen.identity.arn or ""
    if service in (None, _CONSOLE) or seen.kind == "AWSService":
        return None
    if ":role/aws-service-role/" in arn or ":role/AWSServiceRoleFor" in arn:
        return None
    return service if service.endswith(".amazonaws.com") else UNTOLD  # AWS Internal


def _tags(seen: Seen) -> dict[str, str]:
    return {key: value for key, value in _tags_within(seen.asked, 0) if key != ""}


def _tags_within(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Tags as services write them: lists of key and value, maps, in `items`, within specifications."""
    if not isinstance(value, Mapping) or depth > 4:
        return
    for name, inner in value.items():
        plain = str(name).lower()
        if plain in ("tags", "tagset", "taglist", "tagslist", "tag"):
            yield from _pairs(inner)
        elif plain in ("items", "tagspecificationset", "tagspecification", "tagspecifications", "tagging"):
            for one in inner if isinstance(inner, list) else [inner]:
                yield from _tags_within(one, depth + 1)
        elif plain.endswith(("request", "input")):
            yield from _tags_within(inner, depth + 1)


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        names = {str(name).lower(): name for name in value}
        if names.keys() >= {"key", "value"}:
            key, text = value[names["key"]], value[names["value"]]
            if isinstance(key, str):
                yield key, str(text).lower() if isinstance(text, bool) else str(text)
        elif names.keys() <= {"items", "tag"}:
            for inner in value.values():
                yield from _pairs(inner)
        else:
            yield from ((str(key), text) for key, text in value.items() if isinstance(text, str))
    elif isinstance(value, list):
        for one in value:
            yield from _pairs(one)
