"""Server certificates: what proves a web site to its visitors. The private key is looked at once, and kept nowhere."""

from __future__ import annotations

from typing import Any

from immutables import Map

from ledger.account.account import MADE_ID, Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import Kind, ServerCertificate, tagging
from ledger.iam.certificates import check_chain, check_private_key, expiration_of, read_certificate
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.limits import SERVER_CERTIFICATES, room_for_one_more
from ledger.iam.names import new_name_too, renamed
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.refusals import EntityAlreadyExists, MalformedCertificate, NoSuchEntity
from ledger.iam.subjects import NEVER_TOLD, absent, arn_for, evict
from ledger.iam.tagging_operations import taggable
from ledger.iam.tags import new_tags, shown_tags, tagging_too
from ledger.iam.targets import arn, listed, new

NEW = new("server-certificate", "ServerCertificateName")


def a_certificate(account: Account, call: Call) -> str:
    name = call.get("ServerCertificateName", "")
    found = account.server_certificate_named(name)
    return arn(account, f"server-certificate/{name}") if found is None else found.arn


def certificate_there(account: Account, call: Call) -> ServerCertificate:
    name = call["ServerCertificateName"]
    found = account.server_certificate_named(name)
    if found is None:
        raise NoSuchEntity(f"The Server Certificate with name {name} cannot be found.")
    return found


def metadata(certificate: ServerCertificate) -> dict[str, Any]:
    """All but the certificate itself and its tags. Dates are told as far as records told them."""
    told = {
        "Path": certificate.path,
        "ServerCertificateName": certificate.name,
        "ServerCertificateId": certificate.id,
        "Arn": certificate.arn,
    }
    dates = {"UploadDate": certificate.create_date, "Expiration": certificate.expiration}
    return told | {name: date for name, date in dates.items() if date is not None}


@decides(
    "iam:UploadServerCertificate",
    on=NEW,
    also=tagging_too("iam:TagServerCertificate", NEW),
)
def decide_upload_server_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    name, path = call["ServerCertificateName"], call.get("Path", "/")
    leaf = read_certificate(call["CertificateBody"], moment.time)
    check_private_key(call["PrivateKey"], leaf)
    if "CertificateChain" in call:
        check_chain(call["CertificateChain"], leaf)
    _check_free(account, name)
    room_for_one_more(account.server_certificates, SERVER_CERTIFICATES, "ServerCertificatesPerAccount")
    certificate = ServerCertificate(
        id=moment.unique_id("ASCA"),
        name=name,
        path=path,
        arn=NEW(account, call),
        create_date=moment.time,
        expiration=expiration_of(leaf),
        tags=new_tags(ServerCertificate, Map(), call),
    )
    told: dict[str, Any] = {"ServerCertificateMetadata": metadata(certificate)}
    return Answer(told | ({"Tags": shown_tags(certificate.tags)} if certificate.tags else {}))


def _check_free(account: Account, name: str) -> None:
    if account.server_certificate_named(name) is not None:
        raise EntityAlreadyExists(f"The Server Certificate with name {name} already exists.")


@evolves("iam:UploadServerCertificate", rank=Rank.CREATE)
def upload_server_certificate(account: Account, change: Change) -> Account:
    told, asked = change.response.within("ServerCertificateMetadata"), change.request
    name = told.text("ServerCertificateName") or asked.needed("ServerCertificateName")
    path = told.text("Path") or asked.text("Path") or "/"
    unique_id, uploaded = told.text("ServerCertificateId"), told.date("UploadDate")
    body, expiration = asked.text("CertificateBody"), told.date("Expiration")
    certificate = ServerCertificate(
        id=unique_id or f"{MADE_ID}{Kind.SERVER_CERTIFICATE.value}{path}{name}",
        name=name,
        path=path,
        arn=told.text("Arn") or arn_for(account, change, Kind.SERVER_CERTIFICATE, path, name),
        create_date=change.time if uploaded is None else uploaded,
        created_by=change.position,
        assumed=() if unique_id else (Reason.UNTOLD_ID,),
        body=body,
        chain=asked.text("CertificateChain"),
        expiration=_expiration(body) if expiration is None else expiration,
    )
    certificate = tagging(certificate, asked.pairs("Tags"), change.position)
    there = account.server_certificate_named(name)
    return (account if there is None else evict(account, there)).put(certificate)


def _expiration(body: str | None) -> int | None:
    try:
        return None if body is None else expiration_of(read_certificate(body))
    except MalformedCertificate:
        return None


@decides("iam:GetServerCertificate", on=a_certificate)
def get_server_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    certificate = certificate_there(account, call)
    told: dict[str, Any] = {
        "ServerCertificateMetadata": metadata(certificate),
        "CertificateBody": certificate.body or "",  # of an imported one whose record did not tell it
    }
    if certificate.chain is not None:
        told["CertificateChain"] = certificate.chain
    if certificate.tags:
        told["Tags"] = shown_tags(certificate.tags)
    return Answer({"ServerCertificate": told})


@decides("iam:ListServerCertificates", on=listed("server-certificate"))
def list_server_certificates(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    found = (it for it in account.server_certificates.values() if it.path.startswith(prefix))
    name = "ServerCertificateMetadataList"
    return Answer(paged(call, name, found, lambda it: it.name.casefold(), metadata))


@decides(
    "iam:UpdateServerCertificate",
    on=a_certificate,
    also=new_name_too("iam:UpdateServerCertificate", Kind.SERVER_CERTIFICATE),
)
def decide_update_server_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    certificate = certificate_there(account, call)
    name = call.get("NewServerCertificateName", certificate.name)
    if name.casefold() != certificate.name.casefold():
        _check_free(account, name)
    return NOTHING


@evolves("iam:UpdateServerCertificate", rank=Rank.CHANGE)
def update_server_certificate(account: Account, change: Change) -> Account:
    account, certificate = _the_certificate(account, change)
    name, path = change.request.text("NewServerCertificateName"), change.request.text("NewPath")
    now = renamed(certificate, name, path)
    namesake = account.server_certificate_named(now.name)
    if namesake is not None and namesake.id != certificate.id:
        account = evict(account, namesake)
    return account.put(now)


@decides("iam:DeleteServerCertificate", on=a_certificate)
def decide_delete_server_certificate(account: Account, call: Call, moment: Moment) -> Answer:
    certificate_there(account, call)
    return NOTHING


@evolves("iam:DeleteServerCertificate", rank=Rank.DELETE)
def delete_server_certificate(account: Account, change: Change) -> Account:
    name = change.request.needed("ServerCertificateName")
    certificate = account.server_certificate_named(name)
    if certificate is None:
        return absent(account, f"server-certificate/{name}")
    return delete(account, certificate, change.position)


def _the_certificate(account: Account, change: Change) -> tuple[Account, ServerCertificate]:
    name = change.request.needed("ServerCertificateName")
    found = account.server_certificate_named(name)
    if found is not None:
        return account, found
    certificate = ServerCertificate(
        id=f"{MADE_ID}{Kind.SERVER_CERTIFICATE.value}/{name}",
        name=name,
        arn=arn_for(account, change, Kind.SERVER_CERTIFICATE, "/", name),
        assumed=NEVER_TOLD,
    )
    return account.assume(Reason.UNSEEN_CREATION, certificate.arn).put(certificate), certificate


taggable(
    "ServerCertificate", ServerCertificate, on=a_certificate, there=certificate_there, told=_the_certificate
)
