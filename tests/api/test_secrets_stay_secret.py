"""Canaries: marked secrets go through the whole API, and are found nowhere but in the one answer that has to show them."""

import base64
import datetime
import gzip
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pyotp
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ledger.merkle.tiles import Bundle, tiles_of
from tests.api.served import Served, served

ROOT_PASSWORD = "canary-Root-Passw0rd!"


@dataclass
class Walk:
    """Calls the API, keeps what is secret, and every answer with the secrets that it may show."""

    server: Served
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[str, bytes, frozenset[str]]] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)

    def call(
        self,
        service: str,
        operation: str,
        *,
        key: dict[str, str] | None = None,
        shows: tuple[str, ...] = (),
        **words: Any,
    ) -> dict[str, Any]:
        """`shows` names the members of the output that are secret, and that this answer is to show."""
        client = self.server.client(service, key)
        heard: list[bytes] = []
        client.meta.events.register(
            "before-parse", lambda response_dict, **_: heard.append(response_dict["body"])
        )
        try:
            output: dict[str, Any] = getattr(client, operation)(**words)
            self.outcomes[operation] = "answered"
        except ClientError as error:
            output, self.outcomes[operation] = {}, error.response["Error"]["Code"]
        for name in shows if output else ():
            self.secrets[f"{name} of {operation} {len(self.answers)}"] = found(output, name)
        allowed = frozenset(found(output, name) for name in shows) if output else frozenset()
        self.answers.append((operation, heard[-1], allowed))
        return output


def found(output: Any, name: str) -> str:
    if isinstance(output, dict):
        if name in output:
            value = output[name]
            if isinstance(value, bytes):
                return value.decode() if value.isascii() else base64.b64encode(value).decode()
            return str(value)
        for inner in output.values():
            if (told := found(inner, name)) != "":
                return told
    return ""


def private_key() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(65537, 2048)
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "canary")])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=9))
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def walked(server: Served) -> Walk:
    walk = Walk(server, {"root's password": ROOT_PASSWORD, "root's secret key": server.secret})
    secrets = walk.secrets
    secrets |= {name: f"canary-{name}-Passw0rd!" for name in ("first", "second", "third", "weak", "wrong")}
    iam = lambda operation, **words: walk.call("iam", operation, **words)  # noqa: E731
    iam("create_user", UserName="alice")
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    allow = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
    iam("put_user_policy", UserName="alice", PolicyName="all", PolicyDocument=allow)
    key = iam("create_access_key", UserName="alice", shows=("SecretAccessKey",))["AccessKey"]
    sts = lambda operation, **words: walk.call("sts", operation, key=key, **words)  # noqa: E731

    # passwords: set, too short for the policy, changed, changed with the wrong one, of nobody
    iam("create_login_profile", UserName="alice", Password=secrets["first"])
    iam("create_login_profile", UserName="alice", Password=secrets["second"])
    iam("update_login_profile", UserName="alice", Password=secrets["second"])
    iam("update_login_profile", UserName="nobody", Password=secrets["third"])
    walk.call("iam", "change_password", key=key, OldPassword=secrets["wrong"], NewPassword=secrets["third"])
    walk.call("iam", "change_password", key=key, OldPassword=secrets["second"], NewPassword=secrets["third"])
    iam("update_account_password_policy", MinimumPasswordLength=120)
    iam("update_login_profile", UserName="alice", Password=secrets["weak"])
    secrets["too long"] = "canary-too-long-" * 20
    iam("create_login_profile", UserName="alice", Password=secrets["too long"])

    # codes and their seed
    device = iam(
        "create_virtual_mfa_device", VirtualMFADeviceName="a", shows=("Base32StringSeed", "QRCodePNG")
    )
    seed = device["VirtualMFADevice"]["Base32StringSeed"].decode()
    serial, totp = device["VirtualMFADevice"]["SerialNumber"], pyotp.TOTP(seed)
    # A code is six digits, which may stand anywhere by chance; so each goes with what would follow it in a record.
    now = int(time.time())
    iam("enable_mfa_device", UserName="alice", SerialNumber=serial,
        AuthenticationCode1=totp.at(now - 30), AuthenticationCode2=totp.at(now))  # fmt: skip
    secrets |= {
        "code 1": f'"{totp.at(now - 30)}"',
        "code 2": f'"{totp.at(now)}"',
        "code 3": f'"{totp.at(now + 30)}"',
    }
    iam("resync_mfa_device", UserName="alice", SerialNumber=serial,
        AuthenticationCode1="000001", AuthenticationCode2="000002")  # fmt: skip
    iam("list_virtual_mfa_devices")
    iam("list_mfa_devices", UserName="alice")
    session = ("SecretAccessKey", "SessionToken")
    opened = sts("get_session_token", SerialNumber=serial, TokenCode=totp.at(now + 30), shows=session)
    secrets["code too long"] = "canary-code-987654"
    sts("get_session_token", SerialNumber=serial, TokenCode=secrets["code too long"])
    sts(
        "assume_role",
        RoleArn="arn:aws:iam::123456789012:role/x",
        RoleSessionName="alice",
        TokenCode=secrets["code too long"],
    )

    # sessions, and their tokens where they don't belong
    trust = {**statement, "Action": "sts:AssumeRole", "Principal": {"AWS": server.account}}
    trust.pop("Resource")
    trusting = orjson.dumps({"Version": "2012-10-17", "Statement": [trust]}).decode()
    role = iam("create_role", RoleName="deploy", AssumeRolePolicyDocument=trusting)["Role"]["Arn"]
    assumed = sts("assume_role", RoleArn=role, RoleSessionName="alice", shows=session)["Credentials"]
    sts("get_federation_token", Name="bob", shows=session)
    walk.call("sts", "get_caller_identity", key=assumed)
    walk.call("iam", "list_users", key=opened["Credentials"])
    walk.call("iam", "list_users", key={**assumed, "SecretAccessKey": "x"})
    iam("get_user", UserName=assumed["SessionToken"])
    iam("list_users", PathPrefix=f"/{assumed['SessionToken']}/")
    sts("decode_authorization_message", EncodedMessage=assumed["SessionToken"])
    for number, operation in enumerate(("assume_role_with_web_identity", "assume_role_with_saml")):
        secrets[operation] = token = base64.b64encode(f"canary token {number} {'.' * 40}".encode()).decode()
        more = {"RoleSessionName": "alice", "WebIdentityToken": token} if number == 0 else {
            "PrincipalArn": f"arn:aws:iam::{server.account}:saml-provider/x", "SAMLAssertion": token}  # fmt: skip
        sts(operation, RoleArn=role, **more)

    # private keys where public ones belong
    own, pem = private_key()
    secrets["private key"] = pem.splitlines()[5]
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for body in (pem, public + pem, pem + public):
        iam("upload_ssh_public_key", UserName="alice", SSHPublicKeyBody=body)
        assert walk.outcomes["upload_ssh_public_key"] != "answered"
    for body in (pem, certificate(own) + pem, pem + certificate(own), pem[: len(pem) // 2]):
        iam("upload_signing_certificate", UserName="alice", CertificateBody=body)
        assert walk.outcomes["upload_signing_certificate"] == "MalformedCertificate"
    iam(
        "upload_server_certificate",
        ServerCertificateName="a",
        CertificateBody=certificate(own),
        PrivateKey=pem,
    )
    iam(
        "upload_server_certificate",
        ServerCertificateName="b",
        CertificateBody=pem,
        CertificateChain=pem,
        PrivateKey="x",
    )
    iam("create_saml_provider", Name="x", SAMLMetadataDocument="x" * 1000, AddPrivateKey=pem)
    iam("put_user_policy", UserName="nobody", PolicyName="x", PolicyDocument=pem)
    iam("create_policy", PolicyName="x", PolicyDocument=orjson.dumps({"Statement": pem}).decode())
    iam("get_user", UserName=pem)

    # passwords of services
    for service in ("codecommit.amazonaws.com", "bedrock.amazonaws.com"):
        made = iam("create_service_specific_credential", UserName="alice", ServiceName=service)
        member = "ServicePassword" if service.startswith("code") else "ServiceCredentialSecret"
        secret = made["ServiceSpecificCredential"][member]
        secrets[f"{member} of {service}"] = secret
        operation, answer, _ = walk.answers.pop()
        walk.answers.append((operation, answer, frozenset({secret})))
    iam("list_service_specific_credentials", UserName="alice")

    # a service that asks about whoever called it
    credential = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
    for asked in (
        credential,
        {**credential, "secretAccessKey": secrets["wrong"]},
        {"secretAccessKey": secrets["wrong"]},
    ):
        question = {"credential": asked, "action": "orders:GetOrder", "resource": "arn:aws:orders:::order/7"}
        answered = httpx.post(f"{server.url}/v1/authorize", json=question)
        walk.answers.append((f"authorize: {answered.status_code}", answered.content, frozenset()))
    assert {name for name, _, _ in walk.answers} >= {"authorize: 200"}

    # reads that tell much
    walk.call("cloudtrail", "lookup_events")
    iam("get_account_authorization_details")
    iam("list_access_keys", UserName="alice")
    iam("list_signing_certificates", UserName="alice")
    return walk


def forms(secret: str) -> Iterator[bytes]:
    """As a secret may stand in a file."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    yield orjson.dumps(secret)[1:-1]
    yield base64.b64encode(plain).rstrip(b"=")[:-1]
    yield plain.hex().encode()


def kept(server: Served, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that is left of the walk: what it lies in, and its bytes."""
    for file in sorted(folder.iterdir()):
        if not file.name.endswith(".key"):  # the vault's own
            yield file.name, file.read_bytes()
    yield "records", orjson.dumps(server.records())
    for form in ("ndjson", "csv", "cloudtrail"):
        target = folder / f"exported-{form}"
        server.run("export", "--format", form, "--to", target)
        for file in [target] if target.is_file() else sorted(target.rglob("*")):
            if file.is_file():
                text = file.read_bytes()
                yield str(file), gzip.decompress(text) if file.suffix == ".gz" else text
    with httpx.Client(timeout=60) as http:
        root = f"arn:aws:iam::{server.account}:root"
        for path in ("events?limit=1000", "state", "findings", "principals", f"activity/{root}"):
            answered = server.read(http, path)
            assert answered.status_code == 200, (path, answered.text)
            yield f"/v1/{path}", answered.content
        for record in server.records():
            yield "event", server.read(http, f"events/{record['eventID']}").content
        for tile in tiles_of(len(server.records())):
            for part in (tile, Bundle(tile.index, tile.width)) if tile.level == 0 else (tile,):
                answered = server.read(http, f"log/{server.account}/{part.path}")
                assert answered.status_code == 200, (part.path, answered.text)
                yield "leaves" if isinstance(part, Bundle) else "tile", answered.content


@pytest.mark.timeout(300)
def test_a_secret_is_shown_once_and_stands_nowhere_else(tmp_path: Path) -> None:
    with served(tmp_path, password=ROOT_PASSWORD) as server:
        walk = walked(server)
        for operation in ("create_login_profile", "enable_mfa_device", "get_session_token", "assume_role",
                          "get_federation_token", "create_service_specific_credential", "lookup_events"):  # fmt: skip
            assert operation in walk.outcomes
        leaks = [
            (name, operation)
            for operation, body, allowed in walk.answers
            for name, secret in walk.secrets.items()
            if secret not in allowed and any(form in body for form in forms(secret))
        ]
        assert leaks == []
        shown = {secret for _, _, allowed in walk.answers for secret in allowed}
        assert len(shown) >= 11
        everything = [*kept(server, tmp_path)]
        for name, secret in walk.secrets.items():
            for form in forms(secret):
                assert [where for where, text in everything if form in text] == [], name
        assert [where for where, text in everything if b"canary" in text] == []
        # What may be told stands in all that was searched.
        assert any(where == "leaves" and server.account.encode() in text for where, text in everything)
        places = {where for where, text in everything if b"alice" in text}
        assert {"records", "/v1/state", "/v1/events?limit=1000", "event"} <= places
        for kind in ("ndjson", "csv", "cloudtrail"):
            assert any(f"exported-{kind}" in place for place in places)
    counted = rb"(calls by unknown callers, which leave no entry: [A-Za-z]+ \d+(, [A-Za-z]+ \d+)*\n)*"
    assert re.fullmatch(counted, server.said.read_bytes())
