"""Every setting, once. Each is an environment variable with the prefix `CONTACTSYNC_`; `docs/settings.md` lists them.

Passwords, tokens and keys are given as files (`…_FILE`) or as references (`…_SECRET`), since an environment variable
would be seen by others.
"""

from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contactsync.activities.sources.addresses import networks_of
from contactsync.activities.sources.secrets import check_reference
from contactsync.activities.sources.source import PAGE_BYTES, PAGE_ROWS
from contactsync.errors import SettingsError

PREFIX = "CONTACTSYNC_"

SecretSetting: TypeAlias = Literal["database_password", "temporal_api_key", "codec_token"]
"""Settings that are secrets: given by `…_FILE`, or as a reference by `…_SECRET`."""


class Settings(BaseSettings):
    """What the processes need to know; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    database_url: str | None = Field(None, repr=False, description="PostgreSQL of the workers, as postgresql://…")
    database_password_file: Path | None = Field(None, description="file with the password for the URLs that have none")
    database_password_secret: str | None = Field(None, repr=False, description="the same as a reference")
    keys_database_url: str | None = Field(None, repr=False, description="PostgreSQL of the key store, if another one")
    migrate_database_url: str | None = Field(None, repr=False, description="PostgreSQL as the schema's owner")
    statement_cache: bool = Field(True, description="off behind pgbouncer in transaction mode")

    root_key: str | None = Field(None, repr=False, description="file:/path, vault:MOUNT/KEY or aws-kms:KEY-ID-OR-ARN")
    root_key_file: Path | None = Field(None, description="file with the root key, readable by its owner only")

    key_backup_days: int = Field(30, ge=0, le=3650, description="days after which no backup of the key store is left")

    vault_address: str | None = Field(None, repr=False, description="Vault or OpenBao, as https://host:port")
    vault_token_file: Path | None = Field(None, description="file with the token for Vault; read for each request")
    vault_ca_file: Path | None = Field(None, description="CA certificates (PEM) that vouch for Vault")
    vault_namespace: str | None = Field(None, description="namespace inside Vault, where it has them")
    aws_region: str | None = Field(None, description="region of AWS KMS and Secrets Manager")
    aws_endpoint: str | None = Field(None, repr=False, description="endpoint of AWS, if not the region's own")

    temporal_address: str = Field("127.0.0.1:7233", description="host:port of Temporal's frontend")
    temporal_namespace: str = Field("default", description="Temporal namespace")
    temporal_tls: bool = Field(False, description="TLS to Temporal")
    temporal_api_key_file: Path | None = Field(None, description="file with an API key for Temporal Cloud")
    temporal_api_key_secret: str | None = Field(None, repr=False, description="the same as a reference")
    task_queue: str = Field("contactsync", description="task queue of the workers")

    source_networks: str = Field("", description="private networks (CIDR) that sources may be in, by commas")
    tenant_pages: int = Field(8, ge=1, le=1000, description="pages of one tenant fetched at a time, by all workers")

    page_rows: int = Field(
        PAGE_ROWS, ge=1, le=PAGE_ROWS, description="contacts a page has at most, unchanged ones aside"
    )
    page_bytes: int = Field(PAGE_BYTES, ge=16 * 1024, le=PAGE_BYTES, description="bytes a page has at most")
    max_activities: int = Field(20, ge=1, le=1000, description="activities a worker runs at the same time")
    cached_workflows: int = Field(
        2000, ge=0, le=100_000, description="workflows a worker keeps in memory, about 150 KiB each"
    )
    share_work: bool = Field(
        False, description="leave activities to workers that are less busy; `worker --processes` switches it on"
    )
    external_storage_bytes: int = Field(
        0, ge=0, description="sealed payloads from this size on stand in PostgreSQL, not in the history (0: none)"
    )
    shutdown_seconds: float = Field(20.0, ge=0, description="time for running activities when a worker stops")

    codec_host: str = Field("127.0.0.1", description="address the codec server listens on")
    codec_port: int = Field(8081, ge=0, le=65535, description="port the codec server listens on (0: a free one)")
    codec_origins: str = Field("", description="exact origins of Temporal Web, separated by commas")
    codec_token_file: Path | None = Field(None, description="file with the bearer token that operators send")
    codec_token_secret: str | None = Field(None, repr=False, description="the same as a reference")
    codec_oidc_issuer: str | None = Field(None, description="OpenID provider whose tokens are let in, as https://…")
    codec_oidc_audience: str = Field("", description="audience that its tokens must be for")
    codec_oidc_ca_file: Path | None = Field(None, description="certificates (PEM) to trust the provider by")
    codec_oidc_roles_claim: str = Field("roles", description="claim with the roles, or its path with dots")
    codec_oidc_tenants_claim: str = Field("tenants", description="claim with the tenants of roles that name none")
    codec_oidc_role_prefix: str = Field("", description="what the name of a role begins with in tokens")
    codec_oidc_acr: str = Field("", description="sign-in classes of which seeing needs one, by commas")
    codec_oidc_amr: str = Field("", description="sign-in methods of which seeing needs one, by commas")
    codec_shown_keys: str = Field(
        "kind,op,outcome,paused,reason,state,type", description="keys whose words stay when masked, by commas"
    )
    codec_rate: float = Field(200.0, gt=0, description="payloads a second that one subject may open or seal")
    codec_burst: float = Field(5000.0, ge=1, description="payloads that one subject may open or seal at once")
    codec_behind_proxy: bool = Field(False, description="a proxy in front of the codec server does the TLS")
    codec_tls_certificate: Path | None = Field(None, description="certificate chain (PEM) of the codec server")
    codec_tls_key: Path | None = Field(None, description="private key (PEM) of the codec server")
    codec_encode: bool = Field(False, description="the codec server may also encode")

    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level logged")

    @field_validator("source_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        try:
            networks_of(parts_of(value))
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("database_password_secret", "temporal_api_key_secret", "codec_token_secret")
    @classmethod
    def _is_reference(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                check_reference(value)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return value

    def allowed_networks(self) -> tuple[str, ...]:
        """The networks of `source_networks`."""
        return parts_of(self.source_networks)

    def pages_of_a_tenant(self) -> int:
        """How many pages of one tenant are fetched at a time: never so many that a worker has room for nobody else."""
        return max(1, min(self.tenant_pages, self.max_activities - 1))

    def database(self) -> str:
        """The workers' database URL; with its password once `with_database_password` has put it there.

        Raises:
            SettingsError: it is not set.
        """
        return _given("database_url", self.database_url)

    def keys_database(self) -> str:
        """The key store's database URL; the workers' own unless another is set."""
        if self.keys_database_url is None:
            return self.database()
        return self.keys_database_url

    def migrate_database(self) -> str:
        """The owner's database URL."""
        return _given("migrate_database_url", self.migrate_database_url)

    def with_database_password(self, password: str) -> "Settings":
        """The same with this password in the database URLs that have none."""
        names = ("database_url", "keys_database_url", "migrate_database_url")
        urls: dict[str, str | None] = {name: getattr(self, name) for name in names}
        return self.model_copy(update={name: _with_password(url, password) for name, url in urls.items() if url})

    def secret_reference(self, name: SecretSetting) -> str | None:
        """Where a secret is: `…_SECRET`, of which `…_FILE=/path` is the short form for `file:/path`.

        Raises:
            SettingsError: both are set.
        """
        reference: str | None = getattr(self, f"{name}_secret")
        file: Path | None = getattr(self, f"{name}_file")
        if reference is not None and file is not None:
            both = f"{PREFIX}{name.upper()}"
            raise SettingsError(f"{both}_SECRET and {both}_FILE are both set; there is one secret")
        return f"file:{file.absolute()}" if file is not None else reference

    def root_key_reference(self) -> str:
        """Where the root key is: `file:…`, `vault:…` or `aws-kms:…`, of whatever form it was given in.

        Raises:
            SettingsError: it is not set, or set twice.
        """
        if self.root_key is not None and self.root_key_file is not None:
            raise SettingsError(f"{PREFIX}ROOT_KEY and {PREFIX}ROOT_KEY_FILE are both set; there is one root key")
        if self.root_key is not None:
            return self.root_key
        if self.root_key_file is None:
            raise _missing("root_key_file")
        return f"file:{self.root_key_file}"


def parts_of(setting: str) -> tuple[str, ...]:
    """What stands between a setting's commas."""
    return tuple(part.strip() for part in setting.split(",") if part.strip())


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises:
        SettingsError: every setting that is wrong, in one message.
    """
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # the environment gives the arguments
    except ValidationError as error:
        problems = [f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
        raise SettingsError("the settings are not usable: " + "; ".join(problems)) from None


def _with_password(url: str, password: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # whoever connects says what is wrong with it
    if parts.password is not None or parts.username is None:
        return url
    _, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}"))


def _given(name: str, url: str | None) -> str:
    if url is None:
        raise _missing(name)
    return url


def _missing(name: str) -> SettingsError:
    return SettingsError(f"{PREFIX}{name.upper()} is not set; `contactsync doctor` lists what is missing")
