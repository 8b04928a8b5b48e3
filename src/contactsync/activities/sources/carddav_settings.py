"""The settings of a CardDAV connection."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.limits import SourceSettings
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.source import Credentials
from contactsync.activities.sources.transport import Endpoint
from contactsync.activities.sources.urls import checked_hosts, checked_url, is_unprotected


class CardDavSettings(SourceSettings):
    """Where the address books are and how to speak to their server."""

    url: str
    """The server, an account on it, or one address book: what the provider calls its CardDAV address."""

    username: str = ""
    auth: Literal["basic", "bearer"] = "basic"
    allow_http: bool = False
    """http instead of https to another machine: everyone on the way reads the password and the contacts."""

    trusted_hosts: tuple[str, ...] = ()
    """Further hosts that get the credentials, over https; `.icloud.com` stands for every host below it."""

    ca_file: str = ""
    address_books: tuple[str, ...] = ()
    """Only these, by path or by the last part of it; empty: all that the account has."""

    missing_address_book: Literal["stop", "remove"] = "stop"
    """When an address book that was synced is gone: stop the connection, or remove its contacts."""

    sync: Literal["auto", "listing"] = "auto"
    """`listing`: compare ETags at each pass even where the server offers sync-collection."""

    sync_limit: int | None = Field(default=None, ge=1, le=10_000)
    """Ask for at most so many changes at a time. Leave it unset: some servers lose the rest in silence."""

    multiget: int = Field(default=400, ge=1, le=500)
    """Cards asked for in one request, at most; it begins with 100 and asks for more where answers come quickly."""

    whole_cards: bool = False
    """Ask for whole cards, for a server that mangles cards it is asked for in part."""

    complete_every_hours: int = Field(default=24, ge=1, le=24 * 31)
    """How often a complete listing is compared, whatever the server's tokens say."""

    timeout_seconds: float = Field(default=30.0, gt=0, le=300)

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        return checked_url(url)

    @field_validator("trusted_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return checked_hosts(hosts)

    @model_validator(mode="after")
    def _check_http(self) -> Self:
        if is_unprotected(self.url) and not self.allow_http:
            raise ValueError("the address must begin with https://; allow_http=true lets http through, unprotected")
        return self

    def endpoint(self, credentials: Credentials, addresses: AddressRules, meter: Meter) -> Endpoint:
        """What the transport needs to know."""
        return Endpoint(
            url=self.url,
            credentials=Credentials(credentials.username or self.username, credentials.secret),
            scheme=self.auth,
            trusted_hosts=self.trusted_hosts,
            ca_file=self.ca_file,
            timeout_seconds=self.timeout_seconds,
            addresses=addresses,
            meter=meter,
        )
