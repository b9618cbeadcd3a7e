"""Takes secrets out of a record before it is kept, and leaves AWS's own words in their place.

The names are the members that botocore marks `sensitive` in its IAM and STS models, and those it forgets: session
tokens, MFA codes and the like. Secrets are also known by their looks, whatever they are called.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import orjson

HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"

# Compared without case, "-" and "_".
SECRET_NAMES: Final = frozenset(
    {
        "accesstoken",
        "authenticationcode",
        "authenticationcode1",
        "authenticationcode2",
        "authtoken",
        "base32stringseed",
        "bearertoken",
        "bootstrapdatum",
        "idtoken",
        "keymaterial",
        "mfacode",
        "presharedkey",
        "qrcodepng",
        "refreshtoken",
        "samlassertion",
        "samlresponse",
        "secretbinary",
        "secretkey",
        "secretstring",
        "servicecredentialsecret",
        "tokencode",
        "trustedidentitypropagationcontext",
        "tradeintoken",
        "webidentitytoken",
        "xamzsignature",
    }
)
SECRET_ENDINGS: Final = (
    "clientsecret",
    "passphrase",
    "password",  # NewPassword, ServicePassword, MasterUserPassword, but not PasswordResetRequired
    "privatekey",
    "secretaccesskey",
    "securitytoken",
    "sessiontoken",
)
HEADERS: Final = ("authorization", "proxyauthorization", "cookie", "setcookie")  # secret where they are texts
# What every record has and no secret can stand in: not looked at, for speed.
PLAIN: Final = frozenset(
    {
        "apiVersion",
        "awsRegion",
        "errorCode",
        "eventCategory",
        "eventID",
        "eventName",
        "eventSource",
        "eventTime",
        "eventType",
        "eventVersion",
        "managementEvent",
        "readOnly",
        "recipientAccountId",
        "requestID",
        "sessionCredentialFromConsole",
        "sharedEventID",
        "sourceIPAddress",
        "tlsDetails",
        "userAgent",
        "userIdentity",
        "vpcEndpointAccountId",
        "vpcEndpointId",
    }
)
# JSON within a string within JSON adds up; orjson itself writes no more than 254 levels.
DEPTH_MAX: Final = 300

_SECRET, _HEADER, _NAMED_ELSEWHERE = 1, 2, 3
_NAMES_OF_VALUES: Final = {
    "value": ("name", "key", "Name", "Key"),
    "Value": ("Name", "Key", "name", "key"),
    "parameterValue": ("parameterKey", "parameterName"),
    "ParameterValue": ("ParameterKey", "ParameterName"),
}
_NO_SECRETS: Final = frozenset({"", HIDDEN, "null", "true", "false"})
_NAME: Final = r"[A-Za-z0-9_-]{4,64}"
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)
# Session tokens are base64 of a few fixed beginnings ("…origin_", "…er_aws_").
_SESSION_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9+/])"
    r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|FQoDYXdz|FwoDYXdz|AQoDYXdz|IQoDYXdz)"
    r"[A-Za-z0-9+/=_%-]{16,}"
)
_OWN_TOKEN: Final = re.compile(r"(?<![A-Za-z0-9_-])ilt1_[A-Za-z0-9_-]{16,}")  # ledger.vault.tokens
_SIGNATURE: Final = re.compile(
    r"(x-amz-security-token|signature)(=|%(?:25){0,3}3D)(?:(?!%(?:25){0,3}26)[^&\s\"',;\\]){16,}",
    re.IGNORECASE | re.ASCII,
)
_FORM_FIELD: Final = re.compile(rf"(^|[?&;])({_NAME})=([^&;\s\"'\\]+)")
_JSON_FIELD: Final = re.compile(
    rf"(?P<quote>\\{{0,15}}\")(?P<name>{_NAME})(?P=quote)(?P<colon>\s{{0,8}}:\s{{0,8}})"
    r"(?P=quote)(?P<value>.*?)(?P<end>(?<!\\)(?P=quote)|\Z)",
    re.DOTALL,
)


def redact(document: dict[str, Any]) -> dict[str, Any]:
    """The record without its secrets. The very same object comes back where there was none to hide.

    What AWS has hidden already (null, its own words, asterisks) stays as it is. A string that holds JSON is looked
    through as JSON, and written anew only if something in it had to go.
    """
    cleaned = document
    for name, value in document.items():
        if value is None or name in PLAIN:
            continue
        kind = _kind(name)
        new = _hide(value, kind, 0) if kind in (_SECRET, _HEADER) else _clean(value, 0)
        if new is not value:
            if cleaned is document:
                cleaned = document.copy()
            cleaned[name] = new
    return cleaned


def without_secrets(text: str) -> str:
    """The text without what is a secret by its looks, whatever stands around it: private keys and session tokens."""
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(HIDDEN, text)
    if "YXdz" in text or "Jb3JpZ2lu" in text:
        text = _SESSION_TOKEN.sub(HIDDEN, text)
    return _OWN_TOKEN.sub(HIDDEN, text) if "ilt1_" in text else text


def holds_private_key(text: str) -> bool:
    return _PRIVATE_KEY.search(text) is not None


def is_secret_name(name: str) -> bool:
    return _kind(name) == _SECRET


@lru_cache(maxsize=32_768)
def _kind(name: str) -> int:
    if name in _NAMES_OF_VALUES:
        return _NAMED_ELSEWHERE
    if ":" in name:  # a policy's condition key: aws:PrincipalTag/password
        return 0
    plain = name.lower().replace("-", "").replace("_", "")
    if plain in SECRET_NAMES or plain.endswith(SECRET_ENDINGS):
        return _SECRET
    return _HEADER if plain in HEADERS else 0


def _clean(value: Any, depth: int) -> Any:
    """The value without secrets; itself where it had none."""
    kind = type(value)
    if kind is str:
        return _clean_text(value, depth) if _is_suspect(value) else value
    if kind is dict:
        return _clean_members(value, depth + 1) if depth < DEPTH_MAX else HIDDEN
    if kind is list:
        return _clean_items(value, depth + 1) if depth < DEPTH_MAX else HIDDEN
    return value


def _clean_members(members: dict[str, Any], depth: int) -> dict[str, Any]:
    cleaned = members
    for name, value in members.items():
        kind = _kind(name)
        if kind and (kind != _NAMED_ELSEWHERE or _is_named_secret(members, name)):
            new = _hide(value, kind, depth)
        elif type(value) is str:
            if len(value) < 10 or not _is_suspect(value):
                continue
            new = _clean_text(value, depth)
        else:
            new = _clean(value, depth)
        if new is not value:
            if cleaned is members:
                cleaned = members.copy()
            cleaned[name] = new
    return cleaned


def _clean_items(items: list[Any], depth: int) -> list[Any]:
    cleaned = items
    for index, value in enumerate(items):
        new = _clean(value, depth)
        if new is not value:
            if cleaned is items:
                cleaned = items.copy()
            cleaned[index] = new
    return cleaned


def _hide(value: Any, kind: int, depth: int) -> Any:
    """The value of a secret name with everything in it hidden; nulls, booleans and what AWS hid stay."""
    if depth >= DEPTH_MAX:
        return HIDDEN
    if isinstance(value, str):
        return value if _is_hidden_already(value) else HIDDEN
    if isinstance(value, dict):
        if kind == _HEADER:
            return _clean(value, depth)
        hidden: Any = {name: _hide(member, kind, depth + 1) for name, member in value.items()}
    elif isinstance(value, list):
        hidden = [_hide(item, kind, depth + 1) for item in value]
    else:
        return value if value is None or isinstance(value, bool) else HIDDEN
    return value if hidden == value else hidden


def _is_hidden_already(text: str) -> bool:
    return text in _NO_SECRETS or not text.strip("*") or (text[0] == "<" and text[-1] == ">")


def _is_named_secret(members: dict[str, Any], name: str) -> bool:
    """`{"name": "DB_PASSWORD", "value": …}`: the name of the secret stands beside it."""
    return any(
        isinstance(told := members.get(sibling), str) and is_secret_name(told)
        for sibling in _NAMES_OF_VALUES[name]
    )


def _is_suspect(text: str) -> bool:
    """Quickly: whether a closer look is worth the while. Never false where there is something to hide."""
    return (
        "{" in text
        or "=" in text
        or "%" in text
        or "-----BEGIN" in text
        or "ilt1_" in text
        or (len(text) > 24 and ("YXdz" in text or "Jb3JpZ2lu" in text))
    )


def _clean_text(text: str, depth: int) -> str:
    cleaned = _clean_json(text, depth) if text.lstrip()[:1] in ("{", "[") else text
    # Also what did not parse, and a key that stands twice.
    if ":" in cleaned and '"' in cleaned:
        cleaned = _JSON_FIELD.sub(_json_field, cleaned)
    if "=" in cleaned:
        cleaned = _FORM_FIELD.sub(_form_field, cleaned)
    if "=" in cleaned or "%" in cleaned:
        cleaned = _SIGNATURE.sub(_signature, cleaned)
    cleaned = without_secrets(cleaned)
    return text if cleaned == text else cleaned


def _clean_json(text: str, depth: int) -> str:
    try:
        value = orjson.loads(text)
        cleaned = _clean(value, depth + 1)
        return text if cleaned is value else orjson.dumps(cleaned).decode()
    except orjson.JSONDecodeError:
        return text
    except TypeError:  # too deep to be written again
        return HIDDEN


def _json_field(found: re.Match[str]) -> str:
    value = found["value"]
    if not is_secret_name(found["name"]):
        value = _JSON_FIELD.sub(_json_field, value)  # JSON in a string in what did not parse
    elif not _is_hidden_already(value):
        value = HIDDEN
    quote = found["quote"]
    return f"{quote}{found['name']}{quote}{found['colon']}{quote}{value}{found['end']}"


def _form_field(found: re.Match[str]) -> str:
    if not is_secret_name(found[2]) or _is_hidden_already(found[3]):
        return found[0]
    return f"{found[1]}{found[2]}={HIDDEN}"


def _signature(found: re.Match[str]) -> str:
    return found[0] if found[0].endswith(HIDDEN) else f"{found[1]}{found[2]}{HIDDEN}"
