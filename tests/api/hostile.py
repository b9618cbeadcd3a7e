"""Requests that nobody means well with, as bytes for the wire; each says how many entries it may leave."""

import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from api.aws import models
from api.aws.models import Operation, Shape

FORM = "application/x-www-form-urlencoded; charset=utf-8"
JSON = "application/x-amz-json-1.1"
MIB = 1 << 20
PATIENCE_SECONDS = 0.2
READS = ("Get", "List", "Describe", "Lookup", "Simulate")
ANYWHERE = {
    # asked of a provider, or without credentials
    "iam:CreateOpenIDConnectProvider",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoleWithSAML",
}

RUBBISH = (
    "",
    " ",
    "\0",
    "\x1b[31m\r\n",
    "\u202egnp.exe",
    "e\u0301\u0301\u0301",
    "\N{PILE OF POO}" * 3,
    "\ufffe\uffff",
    "İıſK",
    "a" * 129,
    "a" * 70_000,
    "../../etc/passwd",
    "' OR 1=1 --",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x/a}",
    "{{7*7}}%s%n%d",
    "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    "]]>" * 10,
    "-1",
    "0",
    "99999999999999999999",
    "1e308",
    "NaN",
    "true",
    "null",
    "[" * 2_000,
    '{"a":' * 500,
    '{"Version":"2012-10-17","Statement":' + "[" * 300 + "]" * 300 + "}",
    '{"Statement":[{"Effect":"Allow","Action":"' + "*?" * 500 + '","Resource":"*"}]}',
    "arn:aws:iam::",
    "arn:aws:iam::123456789012:" + "x/" * 200,
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+23:59",
)


@dataclass(frozen=True)
class Hostile:
    """`entries` is how many entries it has to leave: None, where that depends on what it happens to mean. To what is not
    `whole` a server need not answer.
    """

    kind: str
    wire: bytes = field(repr=False)
    entries: int | None
    whole: bool = True
    patience: float = PATIENCE_SECONDS  # seconds


class Hostility:
    """Makes them from `seed`, signed with a key. None but `wild` may change the account."""

    def __init__(self, seed: int, key_id: str, secret: str, host: str, account: str = "123456789012") -> None:
        self.chance = random.Random(seed)
        self.rubbish = 0.35
        self._credentials = Credentials(key_id, secret)
        self._host, self._account = host, account
        self._kinds: tuple[tuple[int, Callable[[], Hostile]], ...] = (
            (20, self.rubbish_parameters),
            (10, self.rubbish_reads),
            (6, self.nested_names),
            (4, self.huge_counts),
            (6, self.twice_the_same),
            (4, self.bad_escapes),
            (6, self.no_such_operation),
            (10, self.rubbish_json),
            (6, self.rubbish_query_as_json),
            (4, self.other_content),
            (5, self.other_methods),
            (8, self.bad_authorization),
            (4, self.unsigned),
            (4, self.odd_headers),
            (2, self.big_bodies),
            (4, self.odd_paths),
            (4, self.cut_short),
            (6, self.not_http),
        )

    def requests(self, count: int) -> Iterator[Hostile]:
        weights = [weight for weight, _ in self._kinds]
        for _, make in self._kinds:  # one of each at least
            yield make()
        for _ in range(count - len(self._kinds)):
            yield self.chance.choices(self._kinds, weights)[0][1]()

    # -- what is behind a valid signature

    def rubbish_parameters(self) -> Hostile:
        """Parameters of which one at least breaks the model, so nothing may come of it."""
        operation = self._operation(changing=True)
        spoilt = self._breaking(operation.input, "")
        if spoilt is None:
            return self.rubbish_reads()
        fields = {**self._filled(operation.input, "", 0), **spoilt}
        return self._query("rubbish parameters", operation, fields, entries=1)

    def rubbish_reads(self) -> Hostile:
        operation = self._operation(changing=False)
        return self._query("rubbish reads", operation, self._filled(operation.input, "", 0), entries=1)

    def nested_names(self) -> Hostile:
        operation = self._operation(changing=False)
        inner = ".".join(self.chance.choice(("member.1", "entry.1.key", "entry.1.value", "A", "")) for _ in range(self.chance.randrange(1, 400)))  # fmt: skip
        name = self.chance.choice([*operation.input.members, "Tags", "Nothing"])
        return self._query("nested names", operation, {f"{name}.{inner}": self._text()}, entries=1)

    def huge_counts(self) -> Hostile:
        operation = self._operation(changing=False)
        name = self.chance.choice([*operation.input.members, "MaxItems"])
        fields = {
            f"{name}.member.{self.chance.choice((0, 1, 10**8, 10**9, 10**30, -1))}": "x" for _ in range(3)
        }
        fields |= {f"{name}.member.{number}": "x" for number in range(self.chance.choice((1, 50, 9_000)))}
        return self._query("huge counts", operation, fields, entries=1)

    def twice_the_same(self) -> Hostile:
        body = b"Action=ListUsers&Version=2010-05-08&MaxItems=1&MaxItems=" + self._encoded(self._text())
        return self._signed("twice the same", body=body, entries=0)

    def bad_escapes(self) -> Hostile:
        bad = self.chance.choice((b"%", b"%zz", b"%f", b"%80", b"%c3%28", b"\xff\xfe", b"%ed%a0%80", b"\xc3"))
        return self._signed(
            "bad escapes", body=b"Action=ListUsers&Version=2010-05-08&PathPrefix=" + bad, entries=0
        )

    def no_such_operation(self) -> Hostile:
        fields = [b"Version=2010-05-08", b"Action=" + self._encoded(self._text())]
        match self.chance.randrange(4):
            case 0:
                fields = [b"Version=" + self._encoded(self._text()), b"Action=ListUsers"]
            case 1:
                fields = [self._encoded(self._text()) for _ in range(3)]
            case 2:
                fields = [b"Version=2010-05-08", b"Action=listusers"]
        return self._signed("no such operation", body=b"&".join(fields), entries=0)

    def rubbish_json(self) -> Hostile:
        name = self.chance.choice(sorted(models.service("cloudtrail").operation_names))
        body = self.chance.choice(
            (
                b"{",
                b"[" * 100_000,
                b'{"a":' * 2_000,
                b"\xff\xfe{}",
                b'"text"',
                b"null",
                b"1e999",
                b"[]",
                b"-",
                b'{"MaxResults": 1e400}',
                b'{"MaxResults": "1", "MaxResults": {}}',
                b'{"StartTime": 1e300, "EndTime": -1e300}',
                b'{"StartTime": "now"}',
                b'{"LookupAttributes": [null, 1, {}]}',
                b'{"LookupAttributes": [{"AttributeKey": "\\ud800", "AttributeValue": "x"}]}',
                b'{"NextToken": "' + b"A" * 5_000 + b'"}',
                b'{"EventCategory": {}}',
                orjson.dumps(
                    {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": self._text()}]}
                ),
                orjson.dumps({"NextToken": self._text(), "MaxResults": 2**40}),
                orjson.dumps({"trailNameList": [self._text()] * self.chance.choice((1, 500))}),
                orjson.dumps({"Name": self._text()}),
            )
        )
        target = f"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{name}"
        headers = (("Content-Type", JSON), ("X-Amz-Target", target))
        return self._signed("rubbish json", body=body, headers=headers, service="cloudtrail", entries=1)

    def rubbish_query_as_json(self) -> Hostile:
        target = self.chance.choice(
            ("", "x" * 5_000, "CloudTrail_20131101.", "CloudTrail_20131101.Nothing", "....", "\xe4\xf6")
        )
        headers = (("Content-Type", JSON), ("X-Amz-Target", target))
        return self._signed(
            "query as json", body=b"Action=ListUsers", headers=headers, service="cloudtrail", entries=0
        )

    def other_content(self) -> Hostile:
        content, body = self.chance.choice(
            (
                ("text/xml", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><ListUsers>&b;</ListUsers>"),
                ("application/json", b'{"Action": "ListUsers", "Version": "2010-05-08"}'),
                ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=Action\r\n\r\nListUsers\r\n--x--"),
                ("application/octet-stream", self.chance.randbytes(self.chance.randrange(1, 3_000))),
                ("application/x-www-form-urlencoded; charset=utf-16", "Action=ListUsers".encode("utf-16")),
            )
        )  # fmt: skip
        return self._signed("other content", body=body, headers=(("Content-Type", content),), entries=0)

    def other_methods(self) -> Hostile:
        method = self.chance.choice(("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"))
        query = "Action=ListUsers&Version=2010-05-08"
        return self._signed("other methods", method=method, query=query, body=b"", entries=None)

    def odd_headers(self) -> Hostile:
        """A call that is good, but for a header that AWS's clients don't send."""
        odd = self.chance.choice(
            (
                (("User-Agent", "\x01\xff" * 50),),
                (("User-Agent", "a" * 20_000),),
                (("X-Forwarded-For", "1.2.3.4, " * 100),),
                (("X-Amz-Target", "CloudTrail_20131101.LookupEvents"),),
                (("X-Amz-Content-SHA256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),),
                (("X-Amz-Security-Token", "ilt1_" + "A" * 300),),
                (("X-Amz-Security-Token", "FwoGZXIvYXdz" + "é" * 10),),
                (("Cookie", "a=b; " * 500),),
                (("Accept-Encoding", "gzip;q=nan"),),
                (("Content-Encoding", "gzip"),),
                (("Expect", "100-continue"),),
                tuple((f"X-Odd-{number}", "x") for number in range(90)),
            )
        )
        body = b"Action=ListUsers&Version=2010-05-08"
        return self._signed("odd headers", body=body, headers=odd, entries=None)

    def big_bodies(self) -> Hostile:
        size = self.chance.choice((MIB // 2, MIB - 60, MIB + 1, 3 * MIB))
        body = b"Action=PutUserPolicy&Version=2010-05-08&PolicyDocument=" + b"%7B" * (size // 3)
        return self._signed("big bodies", body=body, entries=1)

    # -- what is not validly signed

    def bad_authorization(self) -> Hostile:
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        good = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.access_key}/{date[:8]}/us-east-1/iam/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
        )
        said = self.chance.choice(
            (
                "",
                "Basic dXNlcjpwYXNz",
                "Bearer " + "x" * 5_000,
                "AWS4-HMAC-SHA256",
                "AWS4-HMAC-SHA256 " + "Credential=" * 500,
                "AWS4-ECDSA-P256-SHA256 Credential=a",
                "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;;, Signature=",
                good,
                good.replace("AKIA", "AKI\xc4"),
                good.replace("iam", "s3"),
                good.replace("iam", "cloudtrail"),
                good[: self.chance.randrange(len(good))],
                good.replace("host", "host;" * 1_000),
                good.replace(date[:8], "99999999"),
            )
        )
        headers = {
            "Authorization": said,
            "X-Amz-Date": self.chance.choice((date, "0", "99991231T235959Z", "2026-13-45T")),
        }
        return self._plain("bad authorization", headers, b"Action=ListUsers&Version=2010-05-08")

    def unsigned(self) -> Hostile:
        body = self.chance.choice(
            (
                b"Action=ListUsers&Version=2010-05-08",
                b"Action=GetCallerIdentity&Version=2011-06-15",
                b"",
                b"&" * 20_000,
                b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::%d:role/x"
                b"&RoleSessionName=xx&WebIdentityToken=a.b.c" % self.chance.randrange(10**11, 10**12),
                b"Action=AssumeRoleWithSAML&Version=2011-06-15&RoleArn=arn:aws:iam::%d:role/x"
                b"&PrincipalArn=arn:aws:iam::123456789012:saml-provider/x&SAMLAssertion=AAAA" % self.chance.randrange(10**11, 10**12),
                b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + self._encoded(self._text()),
            )
        )  # fmt: skip
        return self._plain("unsigned", {"Content-Type": FORM}, body)

    def odd_paths(self) -> Hostile:
        path = self.chance.choice(
            ("//", "/..", "/%2e", "/%00", "/v1/events/%ff", "/v1/events?limit=%00", "/openapi.json", "/?" + "a&" * 9_000,
             "/" + "a" * 20_000, "/v1/" + "../" * 50, "/?X-Amz-Signature=%zz&X-Amz-Algorithm=AWS4-HMAC-SHA256", "*",
             "http://elsewhere.example/?Action=ListUsers", "/?X-Amz-Credential=" + "a%2F" * 400)
        )  # fmt: skip
        return self._plain("odd paths", {}, b"", method=self.chance.choice(("GET", "POST")), path=path)

    def cut_short(self) -> Hostile:
        whole = self._query("", self._operation(changing=False), {}, entries=1).wire
        return Hostile("cut short", whole[: self.chance.randrange(1, len(whole) - 1)], 0, whole=False)

    def not_http(self) -> Hostile:
        text = self.chance.choice(
            (
                self.chance.randbytes(self.chance.randrange(1, 2_000)),
                b"GET /\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
                b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"y" * 200_000 + b"\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\nA\0B: c\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\n folded: c\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self.chance.randbytes(200),
                b"\r\n" * 500,
            )
        )
        return Hostile("not http", text, 0, whole=False)

    # -- how they are made

    def wild(self) -> Hostile:
        """Any operation with anything: what comes of it is not foreseen."""
        self.rubbish = self.chance.choice((0.0, 0.05, 0.2))
        operation = self._operation(changing=self.chance.random() < 0.8)
        return self._query("wild", operation, self._filled(operation.input, "", 0), entries=1)

    def _operation(self, *, changing: bool) -> Operation:
        service = models.service(self.chance.choice(("iam", "iam", "iam", "sts")))
        names = sorted(
            name
            for name in service.operation_names
            if f"{service.name}:{name}" not in ANYWHERE
            and (changing or name.startswith(READS))
            and not (not changing and name in ("GetSessionToken", "GetFederationToken"))
        )
        found = service.operation(self.chance.choice(names))
        assert found is not None
        return found

    def _filled(self, shape: Shape, path: str, depth: int) -> dict[str, str]:
        """Fields for most of the members, some of them such as the model wants them, and some rubbish."""
        before = f"{path}." if path else ""
        told: dict[str, str] = {}
        for name, member in shape.members.items():
            if name not in shape.required and self.chance.random() < 0.5:
                continue
            match member.kind:
                case "structure" if depth < 4:
                    told |= self._filled(member, before + name, depth + 1)
                case "list" if member.item is not None:
                    for number in range(1, self.chance.randrange(1, 4)):
                        where = f"{before}{name}.member.{number}"
                        if member.item.kind == "structure":
                            told |= self._filled(member.item, where, depth + 1)
                        else:
                            told[where] = self._value(member.item, name)
                case "map":
                    told[f"{before}{name}.entry.1.key"] = self._text()
                    told[f"{before}{name}.entry.1.value"] = self._text()
                case _:
                    told[before + name] = self._value(member, name)
        return told

    def _value(self, shape: Shape, name: str) -> str:
        if self.chance.random() < self.rubbish:
            return self._text()
        if shape.enum:
            return self.chance.choice(shape.enum)
        match shape.kind:
            case "integer" | "long":
                return str(self.chance.choice((shape.least or 0, shape.most or 1, 3_600, 100)))
            case "boolean":
                return self.chance.choice(("true", "false", "TRUE"))
            case "timestamp":
                return "2026-01-02T03:04:05Z"
        if "Arn" in name or "ARN" in name:
            noun = self.chance.choice(
                (
                    "user/a",
                    "role/a",
                    "policy/a",
                    "group/a",
                    "mfa/a",
                    "saml-provider/a",
                    "oidc-provider/a.b/c",
                    "root",
                    "",
                )
            )
            return f"arn:aws:iam::{self.chance.choice(('aws', self._account))}:{noun}"
        if "Document" in name or name == "Policy":
            statement: dict[str, object] = {"Effect": self.chance.choice(("Allow", "Deny", "Perhaps"))}
            if self.chance.random() < 0.5:
                statement |= {
                    "Action": self.chance.choice(("*", "iam:Get*", self._text()[:90])),
                    "Resource": "*",
                }
            else:
                statement |= {"Action": "sts:AssumeRole", "Principal": {"AWS": self._account}}
            return orjson.dumps({"Version": "2012-10-17", "Statement": statement}).decode()
        if "Path" in name:
            return self.chance.choice(("/", "/a/", "/a/b/"))
        return self.chance.choice(("a", "b", "a-name", "ecs.amazonaws.com", "123456"))

    def _breaking(self, shape: Shape, path: str) -> dict[str, str] | None:
        """A field that no rule of the model lets pass."""
        for name, member in self.chance.sample(sorted(shape.members.items()), len(shape.members)):
            match member.kind:
                case "integer" | "long":
                    return {name: self.chance.choice(("x", "1e5", "99999999999999999999", "", "0x10"))}
                case "boolean":
                    return {name: self.chance.choice(("yes", "", "1"))}
                case "list" | "structure":
                    return {name: "text"}
                case "string" if member.enum:
                    return {name: self.chance.choice(("x", "\0", "é"))}
                case "string" if member.most is not None:
                    return {name: self.chance.choice(("a", "\0", "é")) * (member.most + 1)}
        return None

    def _text(self) -> str:
        if self.chance.random() < 0.2:
            return "".join(chr(self.chance.choice((self.chance.randrange(0xD800), self.chance.randrange(0xE000, 0x110000), self.chance.randrange(128)))) for _ in range(self.chance.randrange(1, 60)))  # fmt: skip
        return self.chance.choice(RUBBISH)

    @staticmethod
    def _encoded(text: str) -> bytes:
        return quote_from_bytes(text.encode(), safe="").encode()

    def _query(self, kind: str, operation: Operation, fields: dict[str, str], *, entries: int) -> Hostile:
        fields = {"Action": operation.name, "Version": operation.service.version, **fields}
        body = b"&".join(self._encoded(name) + b"=" + self._encoded(value) for name, value in fields.items())
        if len(body) > MIB:
            return self.unsigned()
        kind = f"{kind}: {operation.action}"
        headers = (("Content-Type", FORM),)
        return self._signed(kind, body=body, headers=headers, service=operation.service.name, entries=entries)

    def _signed(
        self,
        kind: str,
        *,
        method: str = "POST",
        query: str = "",
        body: bytes,
        headers: tuple[tuple[str, str], ...] = (("Content-Type", FORM),),
        service: str = "iam",
        entries: int | None,
    ) -> Hostile:
        request = AWSRequest(method, f"http://{self._host}/" + (f"?{query}" if query else ""), data=body)
        request.headers.add_header("Host", self._host)
        for name, value in headers:
            request.headers.add_header(name, value)
        SigV4Auth(self._credentials, service, "us-east-1").add_auth(request)
        target = "/" + (f"?{query}" if query else "")
        if len(body) > MIB:  # it is not even read, so nobody knows who sends it
            entries = 0
        return Hostile(kind, written(method, target, list(request.headers.items()), body), entries)

    def _plain(
        self, kind: str, headers: dict[str, str], body: bytes, *, method: str = "POST", path: str = "/"
    ) -> Hostile:
        return Hostile(kind, written(method, path, [("Host", self._host), *headers.items()], body), 0)


def written(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """A request of HTTP/1.1."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"{method} {target} HTTP/1.1\r\n{lines}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


@dataclass(frozen=True)
class Answered:
    """`status` is None where there was no answer of HTTP."""

    status: int | None
    request_id: str | None
    text: bytes = field(repr=False)


def send(port: int, hostile: Hostile) -> Answered:
    text = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as there:
        try:
            there.sendall(hostile.wire)
            there.settimeout(30 if hostile.whole else hostile.patience)
            while piece := there.recv(65_536):
                text += piece
        except (ConnectionError, TimeoutError):
            assert text or not hostile.whole or len(hostile.wire) > MIB, f"no answer to {hostile.kind}"
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", text)
    request_id = re.search(rb"x-amzn-requestid: (\S+)", text, re.IGNORECASE)
    return Answered(
        None if status is None else int(status[1]),
        None if request_id is None else request_id[1].decode(),
        text,
    )
