"""`serve`, `rebuild` and `demo`."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.exits import Failed, say
from api.cli.listening import is_loopback, listening
from api.cli.opening import checkpoint_key_of_ledger, investigation, keyring_of_ledger, opened_log
from api.cli.printing import show
from api.cli.witnesses import Named, fence_of
from api.defaults import DELIVERED_VARIABLE

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from api.settings import Settings
    from ledger.authority.authority import Authority
    from ledger.witness.fence import Fence
    from projections.investigation import Investigation

TOKEN_BYTES = 24


def add_to(app: typer.Typer) -> None:
    for command in (rebuild, serve, demo):
        app.command()(command)


def rebuild(context: typer.Context) -> None:
    """Throw away everything that was derived from the log, and derive it again."""
    with investigation(context) as ledger:
        ledger.rebuild()
    show("rebuilt")


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address to listen on.", metavar="ADDRESS")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port; 0 for a free one.", min=0, max=65_535, metavar="PORT")
    ] = None,
    delivered: Annotated[
        Path | None,
        typer.Option(
            envvar=DELIVERED_VARIABLE,
            help="The folder that `export` delivers to: S3's reads are answered from it.",
            metavar="FOLDER",
        ),
    ] = None,
    witness: Named = None,
) -> None:
    """Answer the same questions over HTTP, under /v1, to whoever bears the token.

    A ledger with accounts of its own answers to whom their policies permit it, and answers the aws CLI, SDKs and services.
    """
    settings = _settings()
    if host is None and not is_loopback(settings.host):
        raise Failed(f"IAM_LEDGER_HOST is {settings.host}, which others can reach; say --host if you mean it")
    address, given = host or settings.host, settings.token
    token = given.get_secret_value() if given is not None else secrets.token_urlsafe(TOKEN_BYTES)
    with opened_log(context.obj) as log, listening(address, settings.port if port is None else port) as ear:
        from api.app import make_app, make_guarded_app
        from api.connections import Bounds, server_of
        from api.publishing import Publishing
        from api.sending import Sending
        from api.unknown_callers import UnknownCallers
        from ledger.log.checkpoints import Checkpoints
        from projections.investigation import Investigation

        ledger = Investigation(log)
        checkpoint_key = checkpoint_key_of_ledger(context.obj)
        checkpoints = Checkpoints(log, checkpoint_key)
        fence = fence_of(log, checkpoints, checkpoint_key, witness)
        authority = _authority(context.obj, ledger, delivered, fence)
        _announce(context.obj, ear, address)
        unknown = UnknownCallers()
        app: ASGIApp
        if authority is None:
            print(
                "token: the one in IAM_LEDGER_TOKEN" if given is not None else f"token: {token}", flush=True
            )
            app = make_app(ledger, token=token, checkpoints=checkpoints, unknown=unknown)
        else:
            app = make_guarded_app(
                ledger,
                authority,
                checkpoints=checkpoints,
                unknown=unknown,
                window_minutes=settings.signature_window,
            )
        server = server_of(
            app,
            bounds=Bounds(
                connections_max=settings.connections,
                connections_per_address_max=settings.connections_per_address,
            ),
            trusted_proxies=settings.trusted_proxies,
        )
        try:
            with ExitStack() as stack:
                if fence.witnesses:
                    stack.enter_context(Sending(log, checkpoints, fence))
                if checkpoint_key is not None:
                    stack.enter_context(Publishing(checkpoints))  # it ends first: what it signs last is sent
                server.run(sockets=[ear])
        finally:
            unknown.tell()
            if authority is not None:
                authority.close()


def _authority(url: str, ledger: Investigation, delivered: Path | None, fence: Fence) -> Authority | None:
    """The authority over the ledger's accounts; None for a ledger that has none of its own, and so no vault."""
    import sqlalchemy as sa

    from ledger.vault.tables import vault_keys

    with ledger.log.engine.connect() as connection:
        if connection.execute(sa.select(vault_keys.c.id).limit(1)).first() is None:
            return None
    from api.aws.answers.reading import authority_over
    from api.aws.s3 import s3_decisions
    from ledger.vault.store import Vault
    from projections.export.bucket import FolderBucket

    folder = None if delivered is None else FolderBucket(delivered)
    vault = Vault(ledger.log.engine, keyring_of_ledger(url))
    return authority_over(ledger, vault, s3_decisions(ledger.log, folder), may_write=fence.check)


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep the incident's files here.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Import a bundled incident into a ledger of its own, and walk through its investigation."""
    from api.demo.walkthrough import walk_through

    walk_through(folder)


def _settings() -> Settings:
    from pydantic import ValidationError

    from api.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        one = error.errors()[0]
        name = f"IAM_LEDGER_{str(one['loc'][0]).upper()}"
        raise Failed(f"{name}: {one['msg']}") from None


def _announce(db: str, ear: socket.socket, host: str) -> None:
    import sqlalchemy as sa

    shown = sa.make_url(db).render_as_string(hide_password=True) if "://" in db else db
    port = ear.getsockname()[1]
    if not is_loopback(host):
        say(f"others can reach {host}, and tokens cross the network as they are; put TLS before it")
    print(f"{shown} answers on http://{f'[{host}]' if ':' in host else host}:{port}/v1", flush=True)
