"""SSH public keys, signing certificates and service-specific credentials: each signs a user in to some service.

Nothing here checks a service's password, so none is kept: it is shown once, in the answer.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.entities import Credential, CredentialKind, Owner, without
from ledger.iam.access_keys import ACTIVE, SETTABLE
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.limits import (
    CREDENTIALS_PER_SERVICE,
    SIGNING_CERTIFICATES_PER_USER,
    SSH_KEYS_PER_USER,
    room_for_one_more,
)
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import by_age, paged
from ledger.iam.present import owner_named
from ledger.iam.public_keys import body_of, check_certificate, fingerprint, is_of, read_ssh_public_key
from ledger.iam.refusals import (
    DuplicateCertificate,
    DuplicateSSHPublicKey,
    InvalidInput,
    NoSuchEntity,
    UnrecognizedPublicKeyEncoding,
    ValidationError,
)
from ledger.iam.subjects import absent, owner_name, the_owner
from ledger.iam.targets import a_user

DAY = 86_400
PASSWORD_BYTES = 32
WITH_PASSWORD = ("codecommit.amazonaws.com", "cassandra.amazonaws.com")
WITH_API_KEY = ("bedrock.amazonaws.com", "logs.amazonaws.com")


def _of(owner: Owner, kind: CredentialKind) -> list[Credential]:
    return [it for it in owner.credentials.values() if it.kind is kind]


def _there(account: Account, call: Call, kind: CredentialKind, id_name: str, missing: str) -> Credential:
    """The credential of the user whom the call names; `missing` is what is said of an id that nobody has."""
    found = owner_named(account, call).credentials.get(call[id_name])
    if found is None or found.kind is not kind:
        raise NoSuchEntity(missing.format(call[id_name]))
    return found


def _check_settable(call: Call) -> None:
    if call["Status"] not in SETTABLE:  # the model knows Expired, which no call sets
        raise InvalidInput(f"The status {call['Status']} cannot be set.")


def _listed(
    call: Call, name: str, found: Iterable[Credential], show: Callable[[Credential], dict[str, Any]]
) -> Answer:
    return Answer(paged(call, name, found, lambda it: by_age(it.create_date, it.made_by, it.id), show))


def _dated(told: dict[str, Any], name: str, time: int | None) -> dict[str, Any]:
    return told if time is None else told | {name: time}


# ---- SSH public keys

_NO_PUBLIC_KEY = "The Public Key with id {} cannot be found."


def _ssh_key(owner: Owner, key: Credential) -> dict[str, Any]:
    told = {"UserName": owner_name(owner), "SSHPublicKeyId": key.id, "Status": key.status}
    return _dated(told, "UploadDate", key.create_date)


@decides("iam:UploadSSHPublicKey", on=a_user)
def decide_upload_ssh_public_key(account: Account, call: Call, moment: Moment) -> Answer:
    owner, body = owner_named(account, call), call["SSHPublicKeyBody"]
    there = _of(owner, CredentialKind.SSH_PUBLIC_KEY)
    read = read_ssh_public_key(body)
    if any(it.body and is_of(it.body, read) for it in there):
        raise DuplicateSSHPublicKey("The SSH public key is already associated with the specified IAM user.")
    room_for_one_more(there, SSH_KEYS_PER_USER, "SSHPublicKeysPerUser")
    told = {
        "UserName": owner_name(owner),
        "SSHPublicKeyId": moment.unique_id("APKA"),
        "Fingerprint": fingerprint(read),
        "SSHPublicKeyBody": body,
        "Status": ACTIVE,
        "UploadDate": moment.time,
    }
    return Answer({"SSHPublicKey": told})


@decides("iam:GetSSHPublicKey", on=a_user)
def get_ssh_public_key(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)
    key = _there(account, call, CredentialKind.SSH_PUBLIC_KEY, "SSHPublicKeyId", _NO_PUBLIC_KEY)
    if key.body is None:  # of an imported key whose record did not tell it
        raise UnrecognizedPublicKeyEncoding("The public key encoding format is unsupported or unrecognized.")
    read = read_ssh_public_key(key.body)
    more = {"Fingerprint": fingerprint(read), "SSHPublicKeyBody": body_of(read, call["Encoding"])}
    return Answer({"SSHPublicKey": _ssh_key(owner, key) | more})


@decides("iam:ListSSHPublicKeys", on=a_user)
def list_ssh_public_keys(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)
    found = _of(owner, CredentialKind.SSH_PUBLIC_KEY)
    return _listed(call, "SSHPublicKeys", found, lambda key: _ssh_key(owner, key))


@decides("iam:UpdateSSHPublicKey", on=a_user)
def decide_update_ssh_public_key(account: Account, call: Call, moment: Moment) -> Answer:
    _there(account, call, CredentialKind.SSH_PUBLIC_KEY, "SSHPublicKeyId", _NO_PUBLIC_KEY)
    _check_settable(call)
    return NOTHING


@decides("iam:DeleteSSHPublicKey", on=a_user)
def decide_delete_ssh_public_key(account: Account, call: Call, moment: Moment) -> Answer:
    _there(account, call, CredentialKind.SSH_PUBLIC_KEY, "SSHPublicKeyId", _NO_PUBLIC_KEY)
    return NOTHING


# ---- signing certificates

_NO_CERTIFICATE = "The Certificate with id {} cannot be found."


@decides("iam:UploadSigningCertificate", on=a_user)
def decide_upload_signing_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    owner, body = owner_named(account, call), call["CertificateBody"]
    check_certificate(body, moment.time)
    for other in (account.settings, *account.users.values()):
        if any(it.body == body for it in _of(other, CredentialKind.SIGNING_CERTIFICATE)):
            raise DuplicateCertificate("The same certificate is associated with an IAM user in the account.")
    there = _of(owner, CredentialKind.SIGNING_CERTIFICATE)
    room_for_one_more(there, SIGNING_CERTIFICATES_PER_USER, "CertificatesPerUser")
    certificate = {
        "UserName": owner_name(owner),
        "CertificateId": base64.b32encode(moment.fresh(20)).decode(),  # 32 characters, as AWS's have
        "CertificateBody": body,
        "Status": ACTIVE,
        "UploadDate": moment.time,
    }
    return Answer({"Certificate": certificate})


@decides("iam:ListSigningCertificates", on=a_user)
def list_signing_certificates(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)

    def show(it: Credential) -> dict[str, Any]:
        told = {"UserName": owner_name(owner), "CertificateId": it.id, "Status": it.status}
        return _dated(told | {"CertificateBody": it.body or ""}, "UploadDate", it.create_date)

    return _listed(call, "Certificates", _of(owner, CredentialKind.SIGNING_CERTIFICATE), show)


@decides("iam:UpdateSigningCertificate", on=a_user)
def decide_update_signing_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    _there(account, call, CredentialKind.SIGNING_CERTIFICATE, "CertificateId", _NO_CERTIFICATE)
    _check_settable(call)
    return NOTHING


@decides("iam:DeleteSigningCertificate", on=a_user)
def decide_delete_signing_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    _there(account, call, CredentialKind.SIGNING_CERTIFICATE, "CertificateId", _NO_CERTIFICATE)
    return NOTHING


# ---- service-specific credentials

_NO_CREDENTIAL = "No such credential {} exists"


def _service(owner: Owner, it: Credential) -> dict[str, Any]:
    told: dict[str, Any] = {
        "UserName": owner_name(owner),
        "ServiceSpecificCredentialId": it.id,
        "ServiceName": it.service_name or "",
        "Status": it.status,
    }
    if it.service_user_name is not None:
        api_key = it.service_name in WITH_API_KEY
        told["ServiceCredentialAlias" if api_key else "ServiceUserName"] = it.service_user_name
    told = _dated(told, "ExpirationDate", it.expiration_date)
    return _dated(told, "CreateDate", it.create_date)


def _with_secret(owner: Owner, it: Credential, moment: Moment) -> dict[str, Any]:
    secret = base64.b64encode(moment.fresh(PASSWORD_BYTES)).decode()
    api_key = it.service_name in WITH_API_KEY
    return _service(owner, it) | {"ServiceCredentialSecret" if api_key else "ServicePassword": secret}


def _check_service(name: str) -> None:
    if name not in WITH_PASSWORD + WITH_API_KEY:
        raise NoSuchEntity(f"No such service {name} is supported for Service Specific Credentials")


def _service_user_name(account: Account, owner: Owner, service: str, taken: set[str | None]) -> str:
    """Source: `ServiceUserName` in the IAM API reference, as in jane-at-123456789012."""
    name = owner_name(owner)
    names = (f"{name}-at-{account.id}", *(f"{name}+{n}-at-{account.id}" for n in range(1, len(taken) + 1)))
    return next(it for it in names if it not in taken)


@decides("iam:CreateServiceSpecificCredential", on=a_user)
def decide_create_service_specific_credential(account: Account, call: Call, moment: Moment) -> Answer:
    owner, service, days = owner_named(account, call), call["ServiceName"], call.get("CredentialAgeDays")
    _check_service(service)
    if days is not None and service not in WITH_API_KEY:
        raise ValidationError("CredentialAgeDays is only valid for services that support long-term API keys.")
    there = [it for it in _of(owner, CredentialKind.SERVICE_SPECIFIC) if it.service_name == service]
    room_for_one_more(there, CREDENTIALS_PER_SERVICE, "ServiceSpecificCredentialsPerUser")
    credential = Credential(
        kind=CredentialKind.SERVICE_SPECIFIC,
        id=moment.unique_id("ACCA"),
        status=ACTIVE,
        create_date=moment.time,
        expiration_date=None if days is None else moment.time + days * DAY,
        service_name=service,
        service_user_name=_service_user_name(account, owner, service, {it.service_user_name for it in there}),
        made_by=None,
        status_made_by=None,
    )
    return Answer({"ServiceSpecificCredential": _with_secret(owner, credential, moment)})


@decides("iam:ListServiceSpecificCredentials", on=a_user)
def list_service_specific_credentials(account: Account, call: Call, moment: Moment) -> Answer:
    service = call.get("ServiceName")
    if call.get("AllUsers") and "UserName" in call:
        raise ValidationError("AllUsers cannot be specified together with UserName.")
    owners = list(account.users.values()) if call.get("AllUsers") else [owner_named(account, call)]
    if service is not None:
        _check_service(service)
    whose = {
        it.id: (owner, it)
        for owner in owners
        for it in _of(owner, CredentialKind.SERVICE_SPECIFIC)
        if service is None or it.service_name == service
    }
    found = [it for _, it in whose.values()]
    return _listed(call, "ServiceSpecificCredentials", found, lambda it: _service(*whose[it.id]))


@decides("iam:ResetServiceSpecificCredential", on=a_user)
def reset_service_specific_credential(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)
    found = _there(
        account, call, CredentialKind.SERVICE_SPECIFIC, "ServiceSpecificCredentialId", _NO_CREDENTIAL
    )
    return Answer({"ServiceSpecificCredential": _with_secret(owner, found, moment)})


@decides("iam:UpdateServiceSpecificCredential", on=a_user)
def decide_update_service_specific_credential(account: Account, call: Call, moment: Moment) -> Answer:
    _there(account, call, CredentialKind.SERVICE_SPECIFIC, "ServiceSpecificCredentialId", _NO_CREDENTIAL)
    _check_settable(call)
    return NOTHING


@decides("iam:DeleteServiceSpecificCredential", on=a_user)
def decide_delete_service_specific_credential(account: Account, call: Call, moment: Moment) -> Answer:
    _there(account, call, CredentialKind.SERVICE_SPECIFIC, "ServiceSpecificCredentialId", _NO_CREDENTIAL)
    return NOTHING


# ---- what the records of all three do


@evolves("iam:UploadSSHPublicKey", rank=Rank.GRANT)
def upload_ssh_public_key(account: Account, change: Change) -> Account:
    return _made(account, change, CredentialKind.SSH_PUBLIC_KEY, "SSHPublicKey", "SSHPublicKeyId")


@evolves("iam:UploadSigningCertificate", rank=Rank.GRANT)
def upload_signing_certificate(account: Account, change: Change) -> Account:
    return _made(account, change, CredentialKind.SIGNING_CERTIFICATE, "Certificate", "CertificateId")


@evolves("iam:CreateServiceSpecificCredential", rank=Rank.GRANT)
def create_service_specific_credential(account: Account, change: Change) -> Account:
    noun = "ServiceSpecificCredential"
    return _made(account, change, CredentialKind.SERVICE_SPECIFIC, noun, f"{noun}Id")


@evolves("iam:UpdateSSHPublicKey", rank=Rank.CHANGE)
def update_ssh_public_key(account: Account, change: Change) -> Account:
    return _switched(account, change, CredentialKind.SSH_PUBLIC_KEY, "SSHPublicKeyId")


@evolves("iam:UpdateSigningCertificate", rank=Rank.CHANGE)
def update_signing_certificate(account: Account, change: Change) -> Account:
    return _switched(account, change, CredentialKind.SIGNING_CERTIFICATE, "CertificateId")


@evolves("iam:UpdateServiceSpecificCredential", rank=Rank.CHANGE)
def update_service_specific_credential(account: Account, change: Change) -> Account:
    return _switched(account, change, CredentialKind.SERVICE_SPECIFIC, "ServiceSpecificCredentialId")


@evolves("iam:DeleteSSHPublicKey", rank=Rank.REVOKE)
def delete_ssh_public_key(account: Account, change: Change) -> Account:
    return _removed(account, change.request.needed("SSHPublicKeyId"))


@evolves("iam:DeleteSigningCertificate", rank=Rank.REVOKE)
def delete_signing_certificate(account: Account, change: Change) -> Account:
    return _removed(account, change.request.needed("CertificateId"))


@evolves("iam:DeleteServiceSpecificCredential", rank=Rank.REVOKE)
def delete_service_specific_credential(account: Account, change: Change) -> Account:
    return _removed(account, change.request.needed("ServiceSpecificCredentialId"))


def _made(account: Account, change: Change, kind: CredentialKind, noun: str, id_name: str) -> Account:
    told = change.response.within(noun)
    credential_id = told.text(id_name)
    if credential_id is None:
        raise Unreadable(id_name)
    account, owner = the_owner(account, change)
    created_at = told.date("UploadDate") or told.date("CreateDate")
    credential = Credential(
        kind=kind,
        id=credential_id,
        status=told.text("Status") or ACTIVE,
        create_date=change.time if created_at is None else created_at,
        expiration_date=told.date("ExpirationDate"),
        service_name=told.text("ServiceName") or change.request.text("ServiceName"),
        service_user_name=told.text("ServiceUserName") or told.text("ServiceCredentialAlias"),
        made_by=change.position,
        status_made_by=change.position,
        body=change.request.text(f"{noun}Body"),
    )
    return account.put(replace(owner, credentials=owner.credentials.set(credential_id, credential)))


def _switched(account: Account, change: Change, kind: CredentialKind, id_name: str) -> Account:
    credential_id, status = change.request.needed(id_name), change.request.needed("Status")
    owner = account.credential_owner(credential_id)
    if owner is None:
        account, owner = the_owner(account, change)
        account = account.assume(Reason.UNSEEN_CREATION, credential_id)
        unseen = (Reason.UNSEEN_CREATION,)
        credential = Credential(kind, credential_id, ACTIVE, None, None, None, None, None, None, unseen)
    else:
        credential = owner.credentials[credential_id]
    if credential.status != status:
        credential = replace(credential, status=status, status_made_by=change.position)
    return account.put(replace(owner, credentials=owner.credentials.set(credential_id, credential)))


def _removed(account: Account, credential_id: str) -> Account:
    owner = account.credential_owner(credential_id)
    if owner is None:
        return absent(account, credential_id)
    return account.put(replace(owner, credentials=without(owner.credentials, credential_id)))
