"""Web identities: tokens of OpenID Connect providers, checked against the keys that their providers publish.

Source: OpenID Connect Core 1.0, section 3.1.3.7; OpenID Connect Discovery 1.0, section 4; AWS STS API reference,
AssumeRoleWithWebIdentity; IAM user guide, "Obtain the thumbprint for an OpenID Connect identity provider".
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Mapping
from hashlib import sha1
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import orjson
import urllib3

from ledger.account.account import Account
from ledger.account.entities import OIDCProvider
from ledger.iam.deciding import Federated
from ledger.iam.federation import WebIdentity
from ledger.iam.refusals import ExpiredToken, IDPCommunicationError, InvalidIdentityToken, Refusal

ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})
REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat")
SKEW_SECONDS: Final = 300
KEPT_SECONDS: Final = 3600
ASKED_AGAIN_SECONDS: Final = 30  # at the soonest, so that made-up key ids don't make us call every time
TIMEOUT_SECONDS: Final = 5.0
ANSWER_BYTES_MAX: Final = 1 << 20
PROVIDERS_KEPT_MAX: Final = 1000

_TAGS: Final = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)

NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
NO_THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


_Of = tuple[str, int | None, tuple[str, ...]]
"""A provider as it was registered: whoever changes the thumbprints, changes whom to trust."""


class ProviderKeys:
    """The keys that OpenID Connect providers publish, fetched over HTTPS and kept for an hour. For many threads."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._kept: dict[_Of, tuple[int, jwt.PyJWKSet | Refusal]] = {}
        self._lock = threading.Lock()

    def key(self, provider: OIDCProvider, key_id: str | None, at: int) -> jwt.PyJWK:
        """The key of that id; raises InvalidIdentityToken or IDPCommunicationError."""
        of = (provider.id, provider.created_by, provider.thumbprints)
        with self._lock:
            fetched_at, keys = self._kept.get(of, (None, None))
        age = None if fetched_at is None else at - fetched_at
        if isinstance(keys, jwt.PyJWKSet) and age is not None and 0 <= age < KEPT_SECONDS:
            found = _named(keys, key_id)
            if found is not None:
                return found
        if keys is None or age is None or not 0 <= age < ASKED_AGAIN_SECONDS:
            keys = self._fetched(provider)
            with self._lock:
                if len(self._kept) >= PROVIDERS_KEPT_MAX:
                    self._kept.clear()
                self._kept[of] = (at, keys)
        if isinstance(keys, Refusal):
            raise keys
        found = _named(keys, key_id)
        if found is None:
            raise InvalidIdentityToken(NO_KEY)
        return found

    def _fetched(self, provider: OIDCProvider) -> jwt.PyJWKSet | Refusal:
        """A refusal is kept as well: anybody may send tokens, and each would make us wait for a provider that is gone."""
        try:
            return self._fetch(provider)
        except (InvalidIdentityToken, IDPCommunicationError) as refusal:
            return refusal

    def _fetch(self, provider: OIDCProvider) -> jwt.PyJWKSet:
        url = provider.url.rstrip("/")
        told = self._json(f"{url}/.well-known/openid-configuration", provider.thumbprints)
        issuer, keys_url = told.get("issuer"), told.get("jwks_uri")
        if not isinstance(issuer, str) or issuer.rstrip("/") != url:
            raise InvalidIdentityToken(NO_KEY)
        if not isinstance(keys_url, str) or not keys_url.startswith("https://"):
            raise InvalidIdentityToken(NO_KEY)
        try:
            return jwt.PyJWKSet.from_dict(self._json(keys_url, provider.thumbprints))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidIdentityToken(NO_KEY) from error

    def _json(self, url: str, thumbprints: tuple[str, ...]) -> dict[str, Any]:
        try:
            text = self._get(url, ssl.create_default_context())
        except ssl.SSLCertVerificationError as error:
            context = self._trusting(url, thumbprints)
            if context is None:
                raise InvalidIdentityToken(NO_THUMBPRINT) from error
            try:
                text = self._get(url, context)
            except ssl.SSLCertVerificationError as again:
                raise InvalidIdentityToken(NO_THUMBPRINT) from again
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidIdentityToken(NO_KEY) from error
        if not isinstance(document, dict):
            raise InvalidIdentityToken(NO_KEY)
        return document

    def _get(self, url: str, context: ssl.SSLContext) -> bytes:
        with urllib3.PoolManager(ssl_context=context, timeout=self._timeout, retries=False) as pool:
            try:
                answer = pool.request("GET", url, redirect=False, preload_content=False)
                text = answer.read(ANSWER_BYTES_MAX + 1)
            except urllib3.exceptions.HTTPError as error:
                if (refused := _certificate_refused(error)) is not None:
                    raise refused from error
                raise IDPCommunicationError(f"Couldn't reach your identity provider at {url}") from error
        if answer.status != 200 or len(text) > ANSWER_BYTES_MAX:
            raise InvalidIdentityToken(NO_KEY)
        return text

    def _trusting(self, url: str, thumbprints: tuple[str, ...]) -> ssl.SSLContext | None:
        """Trust in nobody but the certificate, among those that are presented, of which a thumbprint is registered.

        The certificate becomes the only root of a second connection, so that a certificate that is merely shown beside
        a chain of somebody else's proves nothing.
        """
        wanted = {thumbprint.lower() for thumbprint in thumbprints}
        looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            with (
                socket.create_connection((host, parts.port or 443), self._timeout) as plain,
                looking.wrap_socket(plain, server_hostname=host) as secure,
            ):
                presented = _presented(secure)
        except OSError as error:
            raise IDPCommunicationError(f"Couldn't reach your identity provider at {url}") from error
        for certificate in presented:
            if sha1(certificate, usedforsecurity=False).hexdigest() in wanted:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(cadata=certificate)
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
                return context
        return None


def web_identity(account: Account, token: str, keys: ProviderKeys, at: int) -> WebIdentity:
    """What the token says, if its provider is registered and signed it; raises InvalidIdentityToken, ExpiredToken or
    IDPCommunicationError.
    """
    try:
        header = jwt.get_unverified_header(token)
        told = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidIdentityToken(NO_JWT) from error
    for claim in REQUIRED:
        if claim not in told:
            raise InvalidIdentityToken(f"Missing a required claim: {claim}")
    provider = _registered(account, told["iss"])
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise InvalidIdentityToken(NO_JWT)
    key = keys.key(provider, header.get("kid"), at)
    try:
        claims = jwt.decode(token, key.key, algorithms=[algorithm], options=_SIGNATURE_ONLY)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise InvalidIdentityToken("The signature of the token is not valid.") from error
    _check_times(claims, at)
    audience = _audience(claims, provider)
    return _said(claims, provider, audience)


# Times are measured by the clock of the call, audiences by what is registered.
_SIGNATURE_ONLY: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _registered(account: Account, issuer: object) -> OIDCProvider:
    text = issuer if isinstance(issuer, str) else ""
    found = account.oidc_providers.get(
        f"arn:aws:iam::{account.id}:oidc-provider/{text.partition('://')[2].rstrip('/')}"
    )
    if found is None or not text.startswith("https://"):
        raise InvalidIdentityToken(f"No OpenIDConnect provider found in your account for {text}")
    return found


def _check_times(claims: Mapping[str, Any], at: int) -> None:
    expires, issued, begins = claims["exp"], claims["iat"], claims.get("nbf", 0)
    if not all(isinstance(it, int) and not isinstance(it, bool) for it in (expires, issued, begins)):
        raise InvalidIdentityToken("Timestamps in the token must be formatted as an integer.")
    if expires <= at:
        raise ExpiredToken(
            f"Token expired: current date/time {at} must be before the expiration date/time {expires}"
        )
    if max(issued, begins) > at + SKEW_SECONDS:
        raise InvalidIdentityToken("The token is not valid yet.")


def _audience(claims: Mapping[str, Any], provider: OIDCProvider) -> str:
    """The authorized party where the token names one, or else its audience. Source: IAM user guide, "Available keys for
    AWS OIDC federation".
    """
    told = claims.get("azp", claims["aud"])
    for audience in told if isinstance(told, list) else [told]:
        if isinstance(audience, str) and audience in provider.client_ids:
            return audience
    raise InvalidIdentityToken("Incorrect token audience")


def _said(claims: Mapping[str, Any], provider: OIDCProvider, audience: str) -> WebIdentity:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise InvalidIdentityToken("Missing a required claim: sub")
    tags, transitive = _passed_tags(claims.get(_TAGS))
    source_identity = claims.get(_SOURCE_IDENTITY)
    if source_identity is not None and not (
        isinstance(source_identity, str) and _NAME.fullmatch(source_identity)
    ):
        raise InvalidIdentityToken(
            'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'
        )
    name = provider.id.partition(":oidc-provider/")[2].lower()
    values = {"aws:federatedprovider": (provider.id,), f"{name}:aud": (audience,), f"{name}:sub": (subject,)}
    amr = claims.get("amr")
    if isinstance(amr, list) and amr and all(isinstance(one, str) for one in amr):
        values[f"{name}:amr"] = tuple(amr)
    return WebIdentity(
        provider_arn=provider.id,
        subject=subject,
        audience=audience,
        bearer=Federated("WebIdentityUser", f"{provider.id}:{audience}:{subject}", subject, provider.id),
        values=values,
        tags=tags,
        transitive_tag_keys=transitive,
        source_identity=source_identity,
    )


def _passed_tags(told: object) -> tuple[dict[str, str], tuple[str, ...]]:
    """Source: IAM user guide, "Passing session tags using AssumeRoleWithWebIdentity"."""
    if not isinstance(told, Mapping):
        return {}, ()
    passed, transitive = told.get("principal_tags"), told.get("transitive_tag_keys")
    tags: dict[str, str] = {}
    for key, value in passed.items() if isinstance(passed, Mapping) else ():
        one = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(key, str) or not isinstance(one, str):
            raise InvalidIdentityToken("A session tag in the token has one value.")
        tags[key] = one
    keys = transitive if isinstance(transitive, list) else []
    return tags, tuple(key for key in keys if isinstance(key, str))


def _named(keys: jwt.PyJWKSet, key_id: str | None) -> jwt.PyJWK | None:
    if key_id is None:
        return keys.keys[0] if len(keys.keys) == 1 else None
    return next((key for key in keys.keys if key.key_id == key_id), None)


def _certificate_refused(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """urllib3 wraps it, more than once."""
    for _ in range(5):
        if error is None or isinstance(error, ssl.SSLCertVerificationError):
            return error
        inner = error.args[-1] if error.args and isinstance(error.args[-1], BaseException) else None
        error = error.__cause__ or error.__context__ or inner
    return None


def _presented(connection: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the server presents, its own first. Before Python 3.13 only its own can be seen, and
    thumbprints of authorities are of no use.
    """
    chain = getattr(connection, "get_unverified_chain", None)
    if chain is not None:
        return list(chain())
    own = connection.getpeercert(binary_form=True)
    return [] if own is None else [own]
