"""What is refused of a signature, in AWS's words, and what two other programs sign."""

import random
import shutil
import string
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import quote, urlencode

import pytest

from api.aws.canonical_request import RawRequest
from api.aws.signature import Signature, SignatureError, check, read_signature
from tests.api.signing import HOST, KEY_ID, SECRET, Wish, presigned, signed

NOON = 1_440_938_160  # 2015-08-30T12:36:00Z
DAY = 86_400
SCOPE = f"{KEY_ID}/20150830/us-east-1/iam/aws4_request"
SIGNED_HEADERS = "host;x-amz-date"


def authorization(
    credential: str = SCOPE,
    signed_headers: str = SIGNED_HEADERS,
    signature: str = "0" * 64,
    algorithm: str = "AWS4-HMAC-SHA256",
) -> str:
    return f"{algorithm} Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}"


def asked(told: str | None = None, date: str = "20150830T123600Z", **more: str) -> RawRequest:
    """A request whose Authorization header is `told`; `more` are further headers, with _ for -."""
    headers = {"Host": HOST, "X-Amz-Date": date} | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    if told is not None:
        headers["Authorization"] = told
    return RawRequest(
        "POST", b"/", b"", [(name.encode(), value.encode()) for name, value in headers.items() if value], b""
    )


def query(**others: str | None) -> RawRequest:
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": SCOPE,
        "X-Amz-Date": "20150830T123600Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    } | {f"X-Amz-{name}": value for name, value in others.items()}
    told = urlencode([(name, value) for name, value in parameters.items() if value is not None])
    return RawRequest("GET", b"/", told.encode(), [(b"host", HOST.encode())], b"")


def refusal(
    request: RawRequest, *, now: float = NOON, service: str | None = "iam", window_minutes: int = 15
) -> tuple[str, int, str]:
    with pytest.raises(SignatureError) as told:
        check(read_signature(request, service=service, now=now, window_minutes=window_minutes), SECRET)
    return told.value.code, told.value.status, told.value.message


def accepted(request: RawRequest, *, service: str = "iam", now: float | None = None) -> Signature:
    found = read_signature(request, service=service, now=time.time() if now is None else now)
    check(found, SECRET)
    return found


# -- whether it is signed at all ------------------------------------------------------------------------------------


def test_a_request_without_a_signature_is_missing_its_token() -> None:
    wanted = ("MissingAuthenticationToken", 403, "Request is missing Authentication Token")
    assert refusal(asked()) == wanted
    assert refusal(replace(asked(), query=b"Action=ListUsers&X-Amz-Date=20150830T123600Z")) == wanted


def test_each_missing_parameter_is_told() -> None:
    code, status, message = refusal(asked("AWS4-HMAC-SHA256 ", date=""))
    assert (code, status) == ("IncompleteSignature", 400)
    assert message.startswith(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either "
        "a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization="
    )
    code, status, message = refusal(query(Credential=None, Date=None))
    assert (code, status, message) == (
        "IncompleteSignature",
        400,
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include "
        "'X-Amz-Date'. Re-examine the query-string parameters.",
    )


def test_what_is_no_signature_is_not_repeated_to_the_caller() -> None:
    for told in ("Bearer my-own-token", "Basic bXk6b3du", "Bearer a=my-own-token"):
        code, status, message = refusal(asked(told))
        assert (code, status) == ("IncompleteSignature", 400)
        assert "own" not in message and "bXk6b3du" not in message
    assert refusal(asked("Basic bXk6b3du"))[2] == (
        "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with "
        "Base64): 'MCgjUgdlDsVzZq06391VLrSJQ5/4z7ING/xV13yUoEY='."
    )


@pytest.mark.parametrize("algorithm", ["AWS4-HMAC-SHA512", "AWS4-ECDSA-P256-SHA256", "AWS3-HTTPS"])
def test_other_algorithms_are_not_supported(algorithm: str) -> None:
    wanted = ("IncompleteSignature", 400, f"Unsupported AWS 'algorithm': '{algorithm}'.")
    assert refusal(asked(authorization(algorithm=algorithm))) == wanted
    assert refusal(query(Algorithm=algorithm)) == wanted


def test_a_second_signature_is_refused() -> None:
    once = asked(authorization())
    twice = replace(once, headers=[*once.headers, (b"authorization", authorization().encode())])
    assert refusal(twice)[0] == "IncompleteSignature"
    both = replace(once, query=query().query)
    assert refusal(both)[0] == "IncompleteSignature"
    parameter = replace(query(), query=query().query + b"&X-Amz-Signature=" + b"1" * 64)
    assert refusal(parameter)[0] == "IncompleteSignature"
    assert refusal(asked(authorization() + f", Signature={'1' * 64}"))[0] == "IncompleteSignature"


# -- its time -------------------------------------------------------------------------------------------------------


def test_a_signature_is_good_for_fifteen_minutes_before_and_after() -> None:
    late = NOON + 15 * 60
    assert refusal(asked(authorization()), now=late + 1) == (
        "SignatureDoesNotMatch",
        403,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)",
    )
    early = NOON - 15 * 60
    assert refusal(asked(authorization()), now=early - 1) == (
        "SignatureDoesNotMatch",
        403,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z "
        "(20150830T122059Z + 15 min.)",
    )
    for now in (late, early):
        assert refusal(asked(authorization()), now=now)[2].startswith("The request signature we calculated")


def test_the_window_can_be_another() -> None:
    assert refusal(asked(authorization()), now=NOON + 301, window_minutes=5)[2].endswith("- 5 min.)")
    assert refusal(asked(authorization()), now=NOON + 300, window_minutes=5)[2].startswith("The request sig")


def test_a_presigned_request_lasts_as_long_as_it_says() -> None:
    assert refusal(query(), now=NOON + 60)[0] == "SignatureDoesNotMatch"
    assert refusal(query(), now=NOON + 61) == ("RequestExpired", 400, "Request has expired.")
    assert refusal(query(Expires="604800"), now=NOON + 7 * DAY)[0] == "SignatureDoesNotMatch"
    assert refusal(query(Expires="604800"), now=NOON + 7 * DAY + 1)[0] == "RequestExpired"
    assert refusal(query(Expires=None), now=NOON + 900)[0] == "SignatureDoesNotMatch"
    assert refusal(query(Expires=None), now=NOON + 901)[0] == "RequestExpired"
    assert refusal(query(), now=NOON - 901)[2].startswith("Signature not yet current")


@pytest.mark.parametrize("expires", ["0", "604801", "-1", "1e3", "", "٣", "9999999999"])
def test_it_lasts_a_week_at_most(expires: str) -> None:
    assert refusal(query(Expires=expires))[0] == "IncompleteSignature"


@pytest.mark.parametrize("date", ["201", "2015-08-30T12:36:00Z", "20151330T123600Z", "20150830T123600z", "x"])
def test_a_date_that_is_none_is_told(date: str) -> None:
    message = (
        f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
    )
    assert refusal(asked(authorization(), date=date)) == ("IncompleteSignature", 400, message)
    assert refusal(query(Date=date)) == ("IncompleteSignature", 400, message)


def test_x_amz_date_goes_before_date() -> None:
    both = asked(authorization(), Date="Sun, 30 Aug 2009 12:36:00 GMT")
    assert refusal(both)[2].startswith("The request signature we calculated")
    alone = asked(authorization(signed_headers="host"), date="", Date="Sun, 30 Aug 2015 12:36:00 GMT")
    assert refusal(alone)[2].startswith("The request signature we calculated")
    old = asked(authorization(signed_headers="host"), date="", Date="Sun, 30 Aug 2009 12:36:00 GMT")
    assert refusal(old)[2].startswith("Signature expired: 20090830T123600Z")


# -- its scope, and what it covers ----------------------------------------------------------------------------------


def test_a_credential_has_five_parts() -> None:
    assert refusal(asked(authorization("REDA/CTED/20150830/us-east-1/iam/aws4_request"))) == (
        "IncompleteSignature",
        400,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
        "'REDA/CTED/20150830/us-east-1/iam/aws4_request'",
    )


def test_all_that_is_wrong_with_the_scope_is_told() -> None:
    assert refusal(asked(authorization(f"{KEY_ID}/20150829/Nowhere!/s3/aws5_request"))) == (
        "SignatureDoesNotMatch",
        403,
        "Credential should be scoped to a valid region, not 'Nowhere!'. "
        "Credential should be scoped to correct service: 'iam'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20150829' != '20150830', from '20150830T123600Z'.",
    )


def test_a_request_to_another_service_is_not_taken() -> None:
    request = signed(Wish())
    assert accepted(request).scope.service == "iam"
    assert refusal(request, service="sts", now=time.time()) == (
        "SignatureDoesNotMatch",
        403,
        "Credential should be scoped to correct service: 'sts'. ",
    )


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "aws-global"])
def test_any_region_is_taken_and_told(region: str) -> None:
    assert accepted(signed(Wish(region=region))).scope.region == region


def test_the_host_must_be_signed() -> None:
    wanted = (
        "SignatureDoesNotMatch",
        403,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    )
    assert refusal(asked(authorization(signed_headers="x-amz-date"))) == wanted
    assert refusal(query(SignedHeaders="x-amz-date")) == wanted


def test_every_header_of_aws_must_be_signed_but_a_token() -> None:
    assert refusal(asked(authorization(), X_Amz_Target="a", x_amz_meta="b")) == (
        "SignatureDoesNotMatch",
        403,
        "There were headers present in the request which were not signed: x-amz-meta, x-amz-target",
    )
    assert refusal(asked(authorization(signed_headers="host")))[2].endswith("not signed: x-amz-date")
    request = signed(Wish())
    appended = replace(request, headers=[*request.headers, (b"X-Amz-Security-Token", b"sealed")])
    assert accepted(appended).session_token == "sealed"


def test_a_signed_header_must_be_there() -> None:
    signed_headers = "host;x-amz-date;x-missing"
    assert refusal(asked(authorization(signed_headers=signed_headers)))[0] == "SignatureDoesNotMatch"


def test_the_body_s_hash_is_held_against_the_body() -> None:
    body_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = (("X-Amz-Content-SHA256", body_hash),)
    assert accepted(signed(Wish(body=b"", headers=headers)))
    assert refusal(signed(Wish(body=b"x", headers=headers)), now=time.time()) == (
        "SignatureDoesNotMatch",
        403,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )


@pytest.mark.parametrize("told", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_bodies_that_are_not_signed_whole_are_refused(told: str) -> None:
    request = signed(Wish(headers=(("X-Amz-Content-SHA256", told),)))
    code, _, message = refusal(request, now=time.time())
    assert code == "SignatureDoesNotMatch"
    assert "is not supported here" in message


@pytest.mark.parametrize(
    ("service", "method", "taken"),
    [("s3", "GET", True), ("s3", "HEAD", True), ("s3", "PUT", False), ("iam", "GET", False)],
)
def test_but_that_of_a_read_of_s3_is_of_no_account(service: str, method: str, taken: bool) -> None:
    headers = (("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),)
    request = signed(Wish(service=service, method=method, headers=headers, body=b""))
    if taken:
        assert accepted(request, service=service).scope.service == service
    else:
        assert refusal(request, service=service, now=time.time())[0] == "SignatureDoesNotMatch"
    assert refusal(request, service=None, now=time.time())[0] == "SignatureDoesNotMatch"


def test_another_secret_does_not_match() -> None:
    with pytest.raises(SignatureError) as told:
        check(read_signature(signed(Wish()), service="iam", now=time.time()), "another")
    assert (told.value.code, told.value.status, told.value.message) == (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
        "Access Key and signing method. Consult the service documentation for details.",
    )


def test_what_was_read_shows_no_token_and_no_body() -> None:
    found = accepted(signed(Wish(token="sealed-token", body=b"NewPassword=canary")))
    assert found.session_token == "sealed-token"
    shown = repr(found) + repr(signed(Wish(token="sealed-token", body=b"NewPassword=canary")))
    assert "sealed-token" not in shown and "canary" not in shown


# -- as others sign -------------------------------------------------------------------------------------------------


def random_wish(chance: random.Random) -> Wish:
    def text(most: int) -> str:
        return "".join(
            chance.choices(
                string.ascii_letters + string.digits + " +/=&%~.-_é日!*'()", k=chance.randrange(most)
            )
        )

    names = chance.sample(
        ["Content-Type", "X-Amz-Meta-A", "X-Custom", "Accept", "B-Header"], chance.randrange(5)
    )
    query = "&".join(
        f"{quote(text(6), safe='-_.~')}={quote(text(9), safe='-_.~')}" for _ in range(chance.randrange(4))
    )
    return Wish(
        method=chance.choice(["GET", "POST", "PUT", "DELETE"]),
        path=chance.choice(["/", "/", "/a/b", "/a//b/../c/", "/" + quote(text(9)), "/./x"]),
        query=query,
        headers=tuple((name, quote(text(20), safe=" +/=") + "x") for name in names),
        body=chance.randbytes(chance.randrange(200)),
        token=chance.choice([None, "Fwo/GZ+Xh=="]),
        region=chance.choice(["us-east-1", "eu-west-3"]),
        service=chance.choice(["iam", "sts"]),
    )


def test_whatever_botocore_signs_is_accepted() -> None:
    chance = random.Random(7)
    for _ in range(400):
        wish = random_wish(chance)
        found = accepted(signed(wish), service=wish.service)
        assert (found.access_key_id, found.session_token, found.expires) == (KEY_ID, wish.token, None)


def test_whatever_botocore_presigns_is_accepted() -> None:
    chance = random.Random(8)
    for _ in range(400):
        wish = random_wish(chance)
        found = accepted(presigned(wish, 120), service=wish.service)
        assert (found.access_key_id, found.session_token) == (KEY_ID, wish.token)
        assert found.expires == found.when + 120


@contextmanager
def listening() -> Iterator[tuple[int, list[RawRequest]]]:
    """A server on loopback that keeps what it is sent, and its port."""
    kept: list[RawRequest] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.encode("latin-1").partition(b"?")
            headers = [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()
            ]
            kept.append(RawRequest(self.command, path, query, headers, body))
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Keep)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize(
    "words",
    [
        ["--data", "Action=GetCallerIdentity&Version=2011-06-15"],
        ["--data-urlencode", "PolicyDocument={\"a\": [1, 2]}", "-d", "Action=CreatePolicy"],
        ["--get"],
    ],
)  # fmt: skip
def test_what_curl_signs_is_accepted(words: list[str]) -> None:
    with listening() as (port, kept):
        subprocess.run(
            [
                *("curl", "--silent", "--fail", "--user", f"{KEY_ID}:{SECRET}"),
                *("--aws-sigv4", "aws:amz:us-east-1:sts", *words, f"http://127.0.0.1:{port}/"),
            ],
            check=True,
            timeout=30,
        )
    assert accepted(kept[0], service="sts").access_key_id == KEY_ID
