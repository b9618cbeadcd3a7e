"""`machine`: workloads that act as a role, and the service that hands them its credentials."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.exits import Exit, Failed, say
from api.cli.listening import is_loopback, listening
from api.cli.opening import keyring_of_ledger
from api.cli.printing import Format, Formatted, answer, cell, show, table
from api.cli.witnesses import written_log

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ledger.account.account import Account
    from ledger.account.entities import Workload
    from ledger.authority.authority import Authority

HOST = "127.0.0.1"
ZONE = "us-east-1a"
_ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d[a-z]")

Name = Annotated[str, typer.Argument(help="What the workload is called, or its id.", metavar="NAME")]
Number = Annotated[
    str | None,
    typer.Option("--account", help="Whose it is; may be left out if there is one.", metavar="ID"),
]
Signed = Annotated[
    bool,
    typer.Option(
        "--signed",
        help="Act as whoever has the key in AWS_ACCESS_KEY_ID and so on; else as root, who runs this ledger.",
    ),
]

room = typer.Typer(
    name="machine", no_args_is_help=True, help="Workloads that act as a role, with no key in any file."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(room)


@room.command()
def register(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the workload is to be called.", metavar="NAME")],
    instance_profile: Annotated[
        str | None,
        typer.Option("--instance-profile", help="It is an EC2 instance with this.", metavar="PROFILE"),
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="It is a task of ECS with this role.", metavar="ROLE")
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", help="Where the instance is said to be.", metavar="ZONE")
    ] = ZONE,
    account: Number = None,
    signed: Signed = False,
) -> None:
    """Make a workload known, and print its id."""
    if (instance_profile is None) == (role is None):
        raise Failed("either --instance-profile or --role says what it acts as")
    if not _ZONE.fullmatch(zone):
        raise Failed(f"--zone: {zone!r} is no availability zone, such as {ZONE}")
    tags = [{"Key": "Name", "Value": name}]
    with _desk(context.obj, account, signed=signed) as desk:
        if any(name in (it.name, it.id) for it in desk.account().workloads.values()):
            raise Failed(f"there is a workload called {name!r} already", Exit.NOT_ALL)
        if role is not None:
            found = desk.account().role_named(role)
            arn = f"arn:aws:iam::{desk.number}:role/{role}" if found is None else found.arn
            overrides = {"TaskRoleArn": arn}
            told = desk.call("ecs:RunTask", TaskDefinition=name, Overrides=overrides, Tags=tags)
            show(told["tasks"][0]["taskArn"])
            return
        told = desk.call(
            "ec2:RunInstances",
            MinCount=1,
            MaxCount=1,
            IamInstanceProfile={"Name": instance_profile},
            Placement={"AvailabilityZone": zone},
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        show(told["Instances"][0]["InstanceId"])


@room.command()
def swap(
    context: typer.Context,
    name: Name,
    instance_profile: Annotated[
        str, typer.Option("--instance-profile", help="What it is to have from now on.", metavar="PROFILE")
    ],
    account: Number = None,
    signed: Signed = False,
) -> None:
    """Give an instance another profile, or one again; it acts as that one's role from its next fetch on."""
    from ledger.account.entities import ProfileAssociation, TaskRole

    profile = {"Name": instance_profile}
    with _desk(context.obj, account, signed=signed) as desk:
        workload = desk.workload(name)
        match workload.runs_as:
            case ProfileAssociation(id=association_id):
                desk.call(
                    "ec2:ReplaceIamInstanceProfileAssociation",
                    IamInstanceProfile=profile,
                    AssociationId=association_id,
                )
            case TaskRole():
                raise Failed("a task keeps its role; remove it, and register it with another")
            case None:
                desk.call(
                    "ec2:AssociateIamInstanceProfile", IamInstanceProfile=profile, InstanceId=workload.id
                )


@room.command()
def detach(context: typer.Context, name: Name, account: Number = None, signed: Signed = False) -> None:
    """Take an instance's profile away. Credentials that it has work until they end."""
    from ledger.account.entities import ProfileAssociation

    with _desk(context.obj, account, signed=signed) as desk:
        runs_as = desk.workload(name).runs_as
        if not isinstance(runs_as, ProfileAssociation):
            raise Failed(f"{name} has no instance profile", Exit.NOT_ALL)
        desk.call("ec2:DisassociateIamInstanceProfile", AssociationId=runs_as.id)


@room.command()
def remove(context: typer.Context, name: Name, account: Number = None, signed: Signed = False) -> None:
    """The workload is no more. Credentials that it has work until they end."""
    with _desk(context.obj, account, signed=signed) as desk:
        workload = desk.workload(name)
        if workload.is_instance:
            desk.call("ec2:TerminateInstances", InstanceIds=[workload.id])
        else:
            desk.call("ecs:StopTask", Task=workload.id)


@room.command("list")
def list_(context: typer.Context, account: Number = None, format: Formatted = Format.table) -> None:
    """The workloads, and the role that each acts as."""
    with _desk(context.obj, account, signed=False) as desk:
        told = [_told(desk.account(), it) for it in desk.account().workloads.values()]
    told.sort(key=lambda it: (it["name"], it["id"]))
    if answer(format, told):
        return
    made = table("name", "id", "instance profile", "role", fold=("id",))
    for one in told:
        made.add_row(*(cell(one[key]) for key in ("name", "id", "instanceProfile", "role")))
    show(made)


@room.command()
def serve(
    context: typer.Context,
    workload: Annotated[str, typer.Option("--workload", help="Whose credentials.", metavar="NAME")],
    port: Annotated[
        int, typer.Option(help="The port; 0 for a free one.", min=0, max=65_535, metavar="PORT")
    ] = 0,
    host: Annotated[
        str, typer.Option(help="The address, which the workload alone should reach.", metavar="ADDRESS")
    ] = HOST,
    session_seconds: Annotated[
        int | None,
        typer.Option(
            "--session-seconds",
            help="How long credentials last; six hours if not given.",
            min=2,
            max=43_200,
            metavar="SECONDS",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="Write a task's token there, for its owner alone.", metavar="FILE"),
    ] = None,
    account: Number = None,
) -> None:
    """Hand a workload its role's credentials: an instance as EC2's metadata service does, a task as ECS does.

    What the workload needs in its environment is printed; the SDKs and the aws CLI do the rest.
    """
    with _desk(context.obj, account, signed=False) as desk, listening(host, port) as ear:
        from api.connections import server_of
        from ledger.authority.role_delivery import (
            INSTANCE_SESSION_SECONDS_MIN,
            SESSION_SECONDS,
            RoleDelivery,
        )

        found = desk.workload(workload)
        if found.is_instance and (session_seconds or SESSION_SECONDS) < INSTANCE_SESSION_SECONDS_MIN:
            raise Failed(f"--session-seconds: an instance's are {INSTANCE_SESSION_SECONDS_MIN} at least")
        delivery = RoleDelivery(
            desk.authority, desk.number, session_seconds=session_seconds or SESSION_SECONDS
        )
        if not is_loopback(host):
            say(f"others can reach {host}, and whoever asks there becomes the workload's role")
        url = f"http://{f'[{host}]' if ':' in host else host}:{ear.getsockname()[1]}"
        app, environment = _service(delivery, workload, url, token_file, instance=found.is_instance)
        for name, value in environment.items():
            print(f"{name}={value}", flush=True)
        server_of(app).run(sockets=[ear])


def _service(
    delivery: Any, workload: str, url: str, token_file: Path | None, *, instance: bool
) -> tuple[ASGIApp, dict[str, str]]:
    """The application, and what tells the workload of it."""
    if instance:
        from api.machines.instance_metadata import InstanceMetadata

        if token_file is not None:
            raise Failed("--token-file is for tasks; an instance asks for its tokens itself")
        return InstanceMetadata(delivery, workload), {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
    from api.machines.container_credentials import PATH, ContainerCredentials, new_token

    token = new_token()
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{PATH}"}
    if token_file is None:
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
    else:
        _write_token(token_file, token)
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(token_file.absolute())
    return ContainerCredentials(delivery, workload, token=token), environment


def _write_token(file: Path, token: str) -> None:
    """In place of one that an earlier service left there; nobody else can read it at any time."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as opened:
            opened.write(token)
        beside.replace(file)
    except OSError as error:
        raise Failed(f"cannot write {file}: {error.strerror}", Exit.UNAVAILABLE) from error


# ---- who asks, and of which account


class _Desk:
    """Where an account's machines are managed, in the name of somebody."""

    def __init__(self, authority: Authority, number: str, *, signed: bool) -> None:
        self.authority = authority
        self.number = number
        self._signed = signed

    def account(self) -> Account:
        return self.authority.look(self.number)[0]

    def workload(self, named: str) -> Workload:
        from ledger.authority.role_delivery import NoWorkload, workload_of

        try:
            return workload_of(self.account(), named)
        except NoWorkload as error:
            raise Failed(str(error), Exit.NOT_ALL) from error

    def call(self, action: str, **parameters: Any) -> dict[str, Any]:
        from ledger.authority.authority import Request
        from ledger.authority.credentials import Presented, Unauthenticated, root_arn
        from ledger.authority.recording import Surroundings
        from ledger.iam.deciding import Bearer
        from ledger.policy.request import caller_of

        around = Surroundings(HOST, "iam-ledger", secrets.token_hex(16), secure=True)
        presented: Presented | None = None
        by = Bearer(caller_of(root_arn(self.account())))
        try:
            if self._signed:
                presented = self._presented()
            told = self.authority.call(Request(self.number, action, parameters, around, presented, by=by))
        except Unauthenticated as error:
            raise Failed(f"AWS_ACCESS_KEY_ID: {error.message}") from error
        if told.refusal is not None:
            raise Failed(f"{told.refusal.code}: {told.refusal.message}", Exit.NOT_ALL)
        return dict(told.output)

    def _presented(self) -> Any:
        from ledger.authority.credentials import unknown_key

        key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        if not key_id or not secret:
            raise Failed("--signed needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        found = self.authority.presented(key_id, os.environ.get("AWS_SESSION_TOKEN"))
        if found.account_id != self.number or not hmac.compare_digest(found.secret.encode(), secret.encode()):
            raise unknown_key()
        return found


@contextmanager
def _desk(url: str, account: str | None, *, signed: bool) -> Iterator[_Desk]:
    from ledger.authority.authority import Authority
    from ledger.vault.store import Vault

    with written_log(url) as log:
        numbers = log.account_ids()
        if account is None and len(numbers) != 1:
            raise Failed("whose machine is it? --account says so")
        number = account or numbers[0]
        if number not in numbers:
            raise Failed(f"there is no account {number}", Exit.NOT_ALL)
        authority = Authority(log, Vault(log.engine, keyring_of_ledger(url)))
        try:
            yield _Desk(authority, number, signed=signed)
        finally:
            authority.close()


def _told(account: Account, workload: Workload) -> dict[str, Any]:
    from ledger.account.entities import ProfileAssociation
    from ledger.authority.role_delivery import NoRole, role_of

    try:
        role = role_of(account, workload).arn
    except NoRole:
        role = None
    runs_as = workload.runs_as
    return {
        "name": workload.name,
        "id": workload.id,
        "instanceProfile": runs_as.profile_arn if isinstance(runs_as, ProfileAssociation) else None,
        "role": role,
    }
