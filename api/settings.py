"""What an installation sets: environment variables that begin with IAM_LEDGER_."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.aws.signature import WINDOW_MINUTES
from api.connections import CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX
from api.defaults import DATABASE, HOST, PORT


class Settings(BaseSettings):
    """An option on the command line goes before its variable, the variable before the default."""

    model_config = SettingsConfigDict(env_prefix="IAM_LEDGER_", env_ignore_empty=True, frozen=True)

    db: str = Field(default=DATABASE, description="the ledger: a database URL, or the path of a SQLite file")
    host: str = Field(default=HOST, description="the address that `serve` listens on")
    port: int = Field(
        default=PORT, ge=0, le=65_535, description="the port that `serve` listens on; 0 for a free one"
    )
    token: SecretStr | None = Field(
        default=None, min_length=16, description="what `serve` asks its callers for"
    )
    signature_window: int = Field(
        default=WINDOW_MINUTES,
        ge=1,
        le=60,
        description="how many minutes the time of a signed request may be from ours",
    )
    connections: int = Field(
        default=CONNECTIONS_MAX, ge=10, le=1_000_000, description="how many connections `serve` holds at once"
    )
    connections_per_address: int = Field(
        default=CONNECTIONS_PER_ADDRESS_MAX,
        ge=1,
        le=1_000_000,
        description="how many of them from one address",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="the proxies before `serve` that tell whom a request is from: addresses and networks, apart by commas",
    )
    rejects: str | None = Field(
        default=None, description="the file in which `import` lists what it could not read"
    )
    signing_keys: str | None = Field(
        default=None, description="the file of the keys that sign the digests of deliveries"
    )
    delivered: str | None = Field(
        default=None, description="the folder of deliveries that `serve` answers S3's reads from"
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _apart(cls, told: object) -> object:
        return (
            tuple(str(ip_network(one.strip())) for one in told.split(",")) if isinstance(told, str) else told
        )
