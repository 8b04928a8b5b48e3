"""The settings of a REST connection: the content of its TOML. docs/rest.md explains each table."""

from typing import Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from contactsync.activities.sources.limits import RequestLimits, SourceSettings
from contactsync.activities.sources.rest_expressions import ExpressionText, compiled
from contactsync.activities.sources.rest_tables import (
    Auth,
    ChangesTable,
    ExpiredTable,
    HeaderName,
    LimitsTable,
    ListTable,
    NoAuth,
    NumberedPages,
    OAuth,
    OffsetPages,
    PartsTable,
    RelativePath,
    Table,
    ThrottlingTable,
)
from contactsync.activities.sources.urls import checked_hosts, checked_url, is_unprotected


class NameTable(Table):
    """The parts of a name (RFC 9553 §2.2.1)."""

    full: ExpressionText | None = None
    title: ExpressionText | None = None
    given: ExpressionText | None = None
    given2: ExpressionText | None = None
    surname: ExpressionText | None = None
    surname2: ExpressionText | None = None
    generation: ExpressionText | None = None
    credential: ExpressionText | None = None


class AnniversariesTable(Table):
    """Dates (RFC 9553 §2.8.1)."""

    birth: ExpressionText | None = None
    death: ExpressionText | None = None
    wedding: ExpressionText | None = None


class FieldsTable(Table):
    """Where each property is in a record: JMESPath expressions."""

    id: ExpressionText
    version: ExpressionText | None = None
    """A number, or a time, of which the greater is the newer."""

    changed_at: ExpressionText | None = None
    etag: ExpressionText | None = None
    deleted: ExpressionText | None = None
    merged_into: ExpressionText | None = None
    """The id of the record that this one was merged into."""

    merged_ids: ExpressionText | None = None
    """The ids of the records that were merged into this one."""

    uid: ExpressionText | None = None
    kind: ExpressionText | None = None
    name: NameTable = NameTable()
    nicknames: ExpressionText | None = None
    organizations: ExpressionText | None = None
    titles: ExpressionText | None = None
    emails: ExpressionText | None = None
    phones: ExpressionText | None = None
    addresses: ExpressionText | None = None
    online_services: ExpressionText | None = None
    links: ExpressionText | None = None
    anniversaries: AnniversariesTable = AnniversariesTable()
    notes: ExpressionText | None = None
    keywords: ExpressionText | None = None
    members: ExpressionText | None = None


class CapabilitiesTable(Table):
    """What the engine may rely on; see `Capabilities`."""

    tombstones: bool = False
    lag_seconds: float = Field(default=60.0, ge=0, le=30 * 86_400)
    settles_seconds: float = Field(default=0.0, ge=0, le=30 * 86_400)
    reconcile_hours: float = Field(default=24.0, ge=0, le=366 * 24)
    """How often a complete listing checks it all; 0: never again, once it was listed."""


class RestSettings(SourceSettings):
    """A TOML file's content."""

    model_config = ConfigDict(serialize_by_alias=True)

    url: str
    """The address that all paths are below."""

    list_: ListTable = Field(alias="list")
    fields: FieldsTable
    auth: Auth = NoAuth(kind="none")
    changes: ChangesTable | None = None
    parts: PartsTable | None = None
    capabilities: CapabilitiesTable = CapabilitiesTable()
    limits_: LimitsTable = Field(default=LimitsTable(), alias="limits")
    throttling: ThrottlingTable = ThrottlingTable()
    expired: ExpiredTable = ExpiredTable()
    headers: dict[HeaderName, str] = Field(default_factory=dict[HeaderName, str])
    """Sent with every request; no secrets."""

    check_path: RelativePath | None = None
    """What a check asks for, if not for the first record."""

    allow_http: bool = False
    """http instead of https to another machine: everyone on the way reads the credentials and the contacts."""

    trusted_hosts: tuple[str, ...] = ()
    """Further hosts that pages may be at, over https; they get the credentials."""

    ca_file: str = ""
    timeout_seconds: float = Field(default=30.0, gt=0, le=300)

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        checked = checked_url(url)
        return checked if checked.endswith("/") else checked + "/"

    @field_validator("trusted_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return checked_hosts(hosts)

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise ValueError("the value of a header is plain text on one line")
        return headers

    @model_validator(mode="after")
    def _check_tables(self) -> Self:
        problems = [*self._unprotected(), *self._missing_fields(), *self._miscounted(), *self._capped()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _unprotected(self) -> list[str]:
        urls = {"url": self.url}
        if isinstance(self.auth, OAuth):
            urls["auth.token_url"] = self.auth.token_url
        names = [name for name, url in urls.items() if is_unprotected(url)]
        if not names or self.allow_http:
            return []
        return [f"{' and '.join(names)} must begin with https://; allow_http=true lets http through, unprotected"]

    def _missing_fields(self) -> list[str]:
        if self.changes is not None and self.changes.order != "none" and self.fields.changed_at is None:
            return ["[fields] changed_at is needed where [changes] has an order"]
        if self.capabilities.tombstones and self.fields.deleted is None:
            return ["[fields] deleted is needed where [capabilities] has tombstones"]
        return []

    def _miscounted(self) -> list[str]:
        """Where the next page is found by counting, every record must be counted."""
        records, pages = self.list_.records, self.list_.pagination
        asked = {"list": (records, pages)}
        if self.changes is not None:
            asked["changes"] = (self.changes.records or records, self.changes.pagination or pages)
        return [
            f"[{name}] records must be a plain path such as data.contacts where pages are counted"
            for name, (text, pagination) in asked.items()
            if isinstance(pagination, OffsetPages | NumberedPages) and not compiled(text).is_path
        ]

    def _capped(self) -> list[str]:
        """Where only whole pages can be asked for, a short one must not look like the end of what may be asked."""
        changes = self.changes
        if changes is None or changes.cap is None:
            return []
        size_param = self.list_.size_param if changes.size_param is None else changes.size_param
        pages, size = changes.pagination or self.list_.pagination, changes.page_size or self.list_.page_size
        if (size_param and not isinstance(pages, NumberedPages)) or changes.cap >= 2 * size:
            return []
        return ["[changes] cap must be at least two pages of page_size"]

    def limits(self) -> RequestLimits:
        """See `SourceSettings.limits`."""
        return self.limits_.limits()

    def account(self) -> str:
        """See `SourceSettings.account`."""
        return self.limits_.account
