"""STS, identity providers, and CloudTrail's reads of what was done."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import jwt
import pytest

from tests.api.aws.clients.documents import allowing, trusting, trusting_provider
from tests.api.aws.clients.watching import Watched
from tests.ledger.federating import metadata, published, response, signer


def test_a_role_is_assumed(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("sts:AssumeRole"))
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting(aws.arn("user/alice")))
    iam.put_role_policy(RoleName="deploy", PolicyName="own", PolicyDocument=allowing("iam:*"))
    told = aws.client("sts", key).assume_role(RoleArn=aws.arn("role/deploy"), RoleSessionName="build-7")
    session_arn = f"arn:aws:sts::{aws.id}:assumed-role/deploy/build-7"
    assert told["AssumedRoleUser"]["Arn"] == session_arn
    session = told["Credentials"]
    assert aws.client("sts", session).get_caller_identity()["Arn"] == session_arn
    aws.client("iam", session).create_user(UserName="bob")
    limited = aws.client("sts", key).assume_role(
        RoleArn=aws.arn("role/deploy"), RoleSessionName="less", Policy=allowing("iam:ListUsers")
    )
    less = aws.client("iam", limited["Credentials"])
    assert len(less.list_users()["Users"]) == 2
    with aws.refused("AccessDenied", 403):
        less.create_user(UserName="carol")
    with aws.refused("AccessDenied", 403, "Roles may not be assumed by root accounts."):
        aws.client("sts").assume_role(RoleArn=aws.arn("role/deploy"), RoleSessionName="root")
    with aws.refused("InvalidAuthorizationMessageException", 400):
        aws.client("sts").decode_authorization_message(EncodedMessage="bm90aGluZw==")


def test_sessions_of_users(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("sts:*", "iam:ListUsers"))
    sts = aws.client("sts", key)
    session = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert aws.client("sts", session).get_caller_identity()["Arn"] == aws.arn("user/alice")
    no_token = "The security token included in the request is invalid"
    with aws.refused("InvalidClientTokenId", 403, no_token):  # so AWS says of IAM without MFA
        aws.client("iam", session).list_users()
    federated = sts.get_federation_token(Name="ann", Policy=allowing("iam:ListUsers"))
    arn = f"arn:aws:sts::{aws.id}:federated-user/ann"
    assert federated["FederatedUser"] == {"FederatedUserId": f"{aws.id}:ann", "Arn": arn}
    assert aws.client("sts", federated["Credentials"]).get_caller_identity()["Arn"] == arn
    with aws.refused("InvalidClientTokenId", 403, no_token):
        aws.client("iam", federated["Credentials"]).list_users()
    denied = [record for record in aws.account.records() if record["eventName"] == "ListUsers"]
    assert [record["errorCode"] for record in denied] == ["AccessDenied"] * 2
    assert "limits of GetSessionToken" in denied[0]["errorMessage"]


def test_who_comes_with_a_token(aws: Watched, tmp_path: Path) -> None:
    iam = aws.iam
    with published(tmp_path, signer()) as provider:
        provider.publish(("k1", signer("tokens")))
        arn = iam.create_open_id_connect_provider(
            Url=provider.url, ClientIDList=["app"], ThumbprintList=[signer().thumbprint]
        )["OpenIDConnectProviderArn"]
        trust = trusting_provider(arn, "sts:AssumeRoleWithWebIdentity")
        iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)
        now = int(time.time())
        claims = {"iss": provider.url, "sub": "ann", "aud": "app", "iat": now, "exp": now + 60}
        token = jwt.encode(claims, signer("tokens").key, "RS256", {"kid": "k1"})
        told = aws.client("sts").assume_role_with_web_identity(
            RoleArn=aws.arn("role/deploy"), RoleSessionName="ann", WebIdentityToken=token
        )
    assert (told["SubjectFromWebIdentityToken"], told["Audience"]) == ("ann", "app")
    session = aws.client("sts", told["Credentials"])
    assert session.get_caller_identity()["Arn"].endswith(":assumed-role/deploy/ann")


def test_who_comes_with_an_assertion(aws: Watched) -> None:
    iam = aws.iam
    arn = iam.create_saml_provider(Name="corp", SAMLMetadataDocument=metadata())["SAMLProviderArn"]
    trust = trusting_provider(arn, "sts:AssumeRoleWithSAML")
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)
    role = aws.arn("role/deploy")
    said = response(int(time.time()), {"Role": (f"{role},{arn}",), "RoleSessionName": ("ann",)})
    told = aws.client("sts").assume_role_with_saml(
        RoleArn=role, PrincipalArn=arn, SAMLAssertion=base64.b64encode(said).decode()
    )
    assert told["Subject"] == "ann"
    session = aws.client("sts", told["Credentials"])
    assert session.get_caller_identity()["Arn"].endswith(":assumed-role/deploy/ann")


def test_an_openid_provider_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    arn = iam.create_open_id_connect_provider(
        Url="https://idp.example.com", ClientIDList=["app"], ThumbprintList=["a" * 40]
    )["OpenIDConnectProviderArn"]
    assert arn == aws.arn("oidc-provider/idp.example.com")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="app")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    told = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (told["Url"], told["ClientIDList"], told["ThumbprintList"]) == (
        "idp.example.com",
        ["other"],
        ["b" * 40],
    )
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_a_saml_provider_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    arn = iam.create_saml_provider(Name="corp", SAMLMetadataDocument=metadata())["SAMLProviderArn"]
    assert arn == aws.arn("saml-provider/corp")
    other = metadata(signer("other"))
    assert iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=other)["SAMLProviderArn"] == arn
    assert iam.get_saml_provider(SAMLProviderArn=arn)["SAMLMetadataDocument"] == other
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_saml_provider(SAMLProviderArn=arn, TagKeys=["a"])
    assert [it["Arn"] for it in iam.list_saml_providers()["SAMLProviderList"]] == [arn]
    iam.delete_saml_provider(SAMLProviderArn=arn)
    assert iam.list_saml_providers()["SAMLProviderList"] == []


def test_what_was_done_is_looked_up(aws: Watched) -> None:
    trail = aws.client("cloudtrail")
    aws.iam.create_user(UserName="alice")
    (event,) = trail.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]
    )["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (record["eventID"], record["requestParameters"]) == (event["EventId"], {"userName": "alice"})
    (described,) = trail.describe_trails()["trailList"]
    assert trail.get_trail(Name=described["Name"])["Trail"] == described
    assert trail.get_trail_status(Name=described["TrailARN"])["IsLogging"] is True
    assert [it["TrailARN"] for it in trail.list_trails()["Trails"]] == [described["TrailARN"]]
    assert trail.list_public_keys()["PublicKeyList"] == []
    unknown = f"arn:aws:cloudtrail:us-east-1:{aws.id}:trail/other"
    message = f"Unknown trail: {unknown} for the user: {aws.id}"
    with aws.refused("TrailNotFoundException", 400, message):
        trail.get_trail(Name="other")


@pytest.mark.parametrize("service", ["iam", "sts", "cloudtrail"])
def test_who_may_do_nothing_is_denied_and_told_so(aws: Watched, service: str) -> None:
    aws.iam.create_user(UserName="alice")
    key = aws.iam.create_access_key(UserName="alice")["AccessKey"]
    client = aws.client(service, key)
    who = f"User: {aws.arn('user/alice')} is not authorized to perform:"
    why = "because no identity-based policy allows the"
    match service:
        case "iam":
            on = f"iam:ListUsers on resource: {aws.arn('user/')}"
            with aws.refused("AccessDenied", 403, f"{who} {on} {why} iam:ListUsers action"):
                client.list_users()
        case "sts":
            on = f"sts:AssumeRole on resource: {aws.arn('role/deploy')}"
            with aws.refused("AccessDenied", 403, f"{who} {on} {why} sts:AssumeRole action"):
                client.assume_role(RoleArn=aws.arn("role/deploy"), RoleSessionName="build")
        case "cloudtrail":
            on = "cloudtrail:LookupEvents on resource: *"
            with aws.refused(
                "AccessDeniedException", 400, f"{who} {on} {why} cloudtrail:LookupEvents action"
            ):
                client.lookup_events()


def test_cloudtrail_has_other_names_for_credentials_that_do_not_work(aws: Watched) -> None:
    key = aws.account.key
    unknown, wrong = {**key, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, {**key, "SecretAccessKey": "x" * 40}
    with aws.refused("UnrecognizedClientException", 400):
        aws.account.client("cloudtrail", unknown).lookup_events()
    with aws.refused("InvalidSignatureException", 400):
        aws.account.client("cloudtrail", wrong).lookup_events()
