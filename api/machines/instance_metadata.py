"""The instance metadata service of EC2, version 2: credentials of the instance's role, and who the instance is.

Every read needs a session token, which only whoever can PUT with a header gets, so a web page or a proxy that is talked into
a GET learns nothing. Source: Amazon EC2 user guide, "Use the Instance Metadata Service to access instance metadata",
"Retrieve security credentials from instance metadata", "Instance identity documents", and "Troubleshoot IAM and Amazon EC2".
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
import secrets
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ledger.account.account import Account
from ledger.account.entities import ProfileAssociation, Workload
from ledger.authority.role_delivery import (
    NoRole,
    NotDelivered,
    NoWorkload,
    RoleDelivery,
    profile_of,
    region_of,
    role_of,
    workload_of,
)
from ledger.record import format_time

TTL_HEADER: Final = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER: Final = "X-aws-ec2-metadata-token"
TTL_SECONDS_MAX: Final = 21_600
INSTANCE_TYPE: Final = "t3.micro"
HELP: Final = "Please see documentation at http://docs.amazonwebservices.com/IAM/latest/UserGuide/RolesTroubleshooting.html."
_VERSION: Final = re.compile(r"latest|1\.0|\d{4}-\d{2}-\d{2}")
_TOKEN: Final = struct.Struct(">Q16s32s")  # when it ends, what makes it unlike others, who made it


class Tokens:
    """Session tokens of this very service; nothing has to be remembered of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def new(self, ttl_seconds: int) -> str:
        ends, salt = int(self._clock()) + ttl_seconds, secrets.token_bytes(16)
        return base64.urlsafe_b64encode(_TOKEN.pack(ends, salt, self._mark(ends, salt))).decode()

    def good(self, token: str) -> bool:
        try:
            ends, salt, mark = _TOKEN.unpack(base64.b64decode(token, altchars=b"-_", validate=True))
        except (ValueError, struct.error):
            return False
        return hmac.compare_digest(mark, self._mark(ends, salt)) and self._clock() < ends

    def _mark(self, ends: int, salt: bytes) -> bytes:
        return hmac.digest(self._key, struct.pack(">Q16s", ends, salt), "sha256")


class InstanceMetadata:
    """An ASGI application for one instance, by its name or id. It is to listen where only the machine reaches it."""

    def __init__(
        self, delivery: RoleDelivery, workload: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._delivery = delivery
        self._workload = workload
        self._tokens = Tokens(clock)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._respond(Request(scope))
            response.headers["Server"] = "EC2ws"
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if "x-forwarded-for" in request.headers or not _addressed_by_number(request):
            return Response(status_code=403)
        path = request.url.path
        if path.rstrip("/") == "/latest/api/token":
            return self._token(request)
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405, headers={"Allow": "OPTIONS, GET, HEAD"})
        if not self._tokens.good(request.headers.get(TOKEN_HEADER, "")):
            return Response(status_code=401)
        return await run_in_threadpool(self._read, path)

    def _token(self, request: Request) -> Response:
        if request.method != "PUT":
            return Response(status_code=405, headers={"Allow": "OPTIONS, PUT"})
        asked = request.headers.get(TTL_HEADER, "")
        if not (asked.isascii() and asked.isdigit() and len(asked) <= 5):
            return Response(status_code=400)
        if not 1 <= (ttl_seconds := int(asked)) <= TTL_SECONDS_MAX:
            return Response(status_code=400)
        return _text(self._tokens.new(ttl_seconds), {TTL_HEADER: str(ttl_seconds)})

    def _read(self, path: str) -> Response:
        version, _, rest = path.lstrip("/").partition("/")
        if not _VERSION.fullmatch(version):
            return Response(status_code=404)
        account = self._delivery.account()
        try:
            workload = workload_of(account, self._workload)
        except NoWorkload:
            return Response(status_code=404)
        rest = rest.strip("/")
        credentials = "meta-data/iam/security-credentials/"
        if rest.startswith(credentials):
            return self._credentials(account, workload, rest.removeprefix(credentials))
        return _found(self._tree(account, workload), rest)

    def _tree(self, account: Account, workload: Workload) -> Mapping[str, str]:
        """Every path but those of credentials, with what stands there."""
        zone = workload.availability_zone or ""
        tree = {
            "meta-data/ami-id": workload.image_id or "",
            "meta-data/instance-id": workload.id,
            "meta-data/instance-type": INSTANCE_TYPE,
            "meta-data/placement/availability-zone": zone,
            "meta-data/placement/region": region_of(workload),
            "meta-data/services/domain": "amazonaws.com",
            "meta-data/services/partition": "aws",
            "dynamic/instance-identity/document": _json(_identity(account, workload)),
        }
        if isinstance(workload.runs_as, ProfileAssociation):
            tree["meta-data/iam/info"] = _json(self._info(account, workload, workload.runs_as))
            try:
                tree["meta-data/iam/security-credentials/"] = role_of(account, workload).name
            except NoRole:
                tree["meta-data/iam/security-credentials/"] = ""
        return tree

    def _info(self, account: Account, workload: Workload, runs_as: ProfileAssociation) -> dict[str, Any]:
        told: dict[str, Any] = {"Code": "Success", "LastUpdated": format_time(int(self._clock()))}
        profile = profile_of(account, workload)
        if profile is None:
            told["Code"] = "InstanceProfileNotFound"
            told["Message"] = f"Instance Profile {runs_as.profile_arn} cannot be found. {HELP}"
        elif not profile.roles:
            told["Message"] = f"Instance Profile does not contain a role. {HELP}"
        told["InstanceProfileArn"] = runs_as.profile_arn
        told["InstanceProfileId"] = runs_as.profile_id
        return told

    def _credentials(self, account: Account, workload: Workload, role_name: str) -> Response:
        try:
            if role_of(account, workload).name != role_name:
                return Response(status_code=404)
            given = self._delivery.credentials(workload.id)
        except (NoRole, NoWorkload):
            return Response(status_code=404)
        except NotDelivered as error:
            refused = {
                "Code": "AssumeRoleUnauthorizedAccess",
                "Message": f"EC2 cannot assume the role {error.role.name}. {HELP}",
                "LastUpdated": format_time(int(self._clock())),
            }
            return _text(_json(refused))
        told = {
            "Code": "Success",
            "LastUpdated": format_time(given.issued),
            "Type": "AWS-HMAC",
            "AccessKeyId": given.access_key_id,
            "SecretAccessKey": given.secret_access_key,
            "Token": given.session_token,
            "Expiration": format_time(given.expiration),
        }
        return _text(_json(told))


def _found(tree: Mapping[str, str], path: str) -> Response:
    """The text at the path, or the names under it."""
    for leaf in (path, f"{path}/"):
        if leaf in tree:
            return _text(tree[leaf])
    prefix = f"{path}/" if path else ""
    within = [leaf.removeprefix(prefix) for leaf in tree if leaf.startswith(prefix)]
    names = {name.partition("/")[0] + ("/" if "/" in name else "") for name in within}
    return _text("\n".join(sorted(names))) if names else Response(status_code=404)


def _identity(account: Account, workload: Workload) -> dict[str, Any]:
    return {
        "accountId": account.id,
        "architecture": "x86_64",
        "availabilityZone": workload.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": workload.image_id,
        "instanceId": workload.id,
        "instanceType": INSTANCE_TYPE,
        "kernelId": None,
        "pendingTime": None if workload.create_date is None else format_time(workload.create_date),
        "privateIp": "127.0.0.1",
        "ramdiskId": None,
        "region": region_of(workload),
        "version": "2017-09-30",
    }


def _addressed_by_number(request: Request) -> bool:
    """Whether the host is an address: a name might be a stranger's, led here so that a browser takes us for theirs."""
    host = request.url.hostname or ""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _json(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _text(text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, media_type="text/plain", headers=headers)
