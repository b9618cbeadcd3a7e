"""What an installation sets: environment variables that begin with IAM_LEDGER_."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.aws.signature import WINDOW_MINUTES
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
    rejects: str | None = Field(
        default=None, description="the file in which `import` lists what it could not read"
    )
    signing_keys: str | None = Field(
        default=None, description="the file of the keys that sign the digests of deliveries"
    )
    delivered: str | None = Field(
        default=None, description="the folder of deliveries that `serve` answers S3's reads from"
    )
