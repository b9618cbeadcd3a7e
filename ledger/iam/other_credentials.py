"""SSH public keys, signing certificates and service-specific credentials: each signs a user in to some service."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.entities import Credential, CredentialKind, without
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, the_owner

ACTIVE = "Active"


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
        service_user_name=told.text("ServiceUserName"),
        made_by=change.position,
        status_made_by=change.position,
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
