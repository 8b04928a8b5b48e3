"""The tables of a REST source's TOML below its top level; `rest_settings.py` puts them together."""

import re
from datetime import date
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from contactsync.activities.sources.limits import RequestLimits, zone_of
from contactsync.activities.sources.rest_expressions import ExpressionText
from contactsync.activities.sources.secrets import check_reference
from contactsync.activities.sources.urls import checked_url
from contactsync.errors import SettingsError

PLACEHOLDER: Final = re.compile(r"\{([a-z_]*)\}")

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "authorization", "cookie", "user-agent"}
)


class Table(BaseModel):
    """Base of all tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _check_reference(reference: str) -> str:
    try:
        check_reference(reference)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return reference


def check_header(name: str) -> str:
    """The name of a header that settings may send.

    Raises:
        ValueError: it is none, or is not theirs to set.
    """
    if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
        raise ValueError("this is no header that may be set here; see [auth] for signing in")
    return name


def _check_path(path: str) -> str:
    try:
        parts = urlsplit(path)
    except ValueError:
        raise ValueError("this is no path") from None
    if parts.scheme or parts.netloc or parts.query or parts.fragment:
        raise ValueError("give a path such as contacts, without host and without ?; params has a place of its own")
    return path


Reference = Annotated[str, AfterValidator(_check_reference)]
"""Names a secret: see `secrets.py`."""

HeaderName = Annotated[str, AfterValidator(check_header)]
RelativePath = Annotated[str, AfterValidator(_check_path)]
"""Below `url`; with a slash at its beginning, below the host."""

Text = str | int | bool
Params = dict[str, Text | list[Text]]
TokenUrl = Annotated[str, AfterValidator(checked_url)]
TimeFormat = Literal["iso", "iso_ms", "iso_s", "epoch_s", "epoch_ms"]
"""`iso`: RFC 3339 with microseconds, `iso_ms` with milliseconds, `iso_s` with seconds; the others count from 1970."""


# how to sign in


class NoAuth(Table):
    """Nothing is sent."""

    kind: Literal["none"]


class BasicAuth(Table):
    """User name and password; the password is the connection's secret."""

    kind: Literal["basic"]
    username: str


class BearerAuth(Table):
    """`Authorization: Bearer …`; the token is the connection's secret."""

    kind: Literal["bearer"]


class HeaderAuth(Table):
    """A header of the provider's own; the key is the connection's secret, behind `prefix`."""

    kind: Literal["header"]
    name: HeaderName
    prefix: str = Field(default="", pattern=r"^[\x20-\x7e]*$")


class _TokenAuth(Table):
    token_url: TokenUrl
    client_id: str
    client_auth: Literal["body", "basic"] = "body"
    """How the client signs in there: in the form, or by HTTP (RFC 6749 §2.3.1)."""

    scope: str = ""
    extra: dict[str, str] = {}
    """Further members of the form, such as `audience`."""


class ClientCredentialsAuth(_TokenAuth):
    """OAuth 2 client credentials (RFC 6749 §4.4); the client's secret is the connection's secret."""

    kind: Literal["client_credentials"]


class RefreshTokenAuth(_TokenAuth):
    """OAuth 2 refresh token (RFC 6749 §6); it is the connection's secret. `client_secret` names the client's."""

    kind: Literal["refresh_token"]
    client_secret: Reference | None = None


Auth = Annotated[
    NoAuth | BasicAuth | BearerAuth | HeaderAuth | ClientCredentialsAuth | RefreshTokenAuth,
    Field(discriminator="kind"),
]
OAuth = ClientCredentialsAuth | RefreshTokenAuth


# how the next page is asked for


class _Pages(Table):
    more: ExpressionText | None = None
    """Where the answer says whether there is another page."""

    end_statuses: tuple[int, ...] = ()
    """Statuses of a page behind the last one, where that is no empty page."""


class OnePage(Table):
    """Everything comes in one answer."""

    kind: Literal["none"]


class CursorPages(_Pages):
    """`next` finds a token in the answer; the parameter `param` brings it back."""

    kind: Literal["cursor"]
    param: str
    next: ExpressionText


class NumberedPages(_Pages):
    """Pages by number, from `first`."""

    kind: Literal["page"]
    param: str
    first: int = Field(default=1, ge=0, le=1)


class OffsetPages(_Pages):
    """Pages by how many records come before them."""

    kind: Literal["offset"]
    param: str


class LinkPages(Table):
    """The header `Link` with `rel="next"` (RFC 8288)."""

    kind: Literal["link"]


class NextUrlPages(Table):
    """`next` finds the address of the next page in the answer."""

    kind: Literal["next_url"]
    next: ExpressionText


Pagination = Annotated[
    OnePage | CursorPages | NumberedPages | OffsetPages | LinkPages | NextUrlPages, Field(discriminator="kind")
]


# what to ask for


def _check_placeholders(templates: JsonValue, known: frozenset[str]) -> None:
    match templates:
        case str():
            if not set(PLACEHOLDER.findall(templates)) <= known:
                names = ", ".join(f"{{{name}}}" for name in sorted(known))
                raise ValueError(f"of placeholders there are {names} here" if known else "no placeholder is known here")
        case list():
            for each in templates:
                _check_placeholders(each, known)
        case dict():
            for each in templates.values():
                _check_placeholders(each, known)
        case _:
            pass


class ListTable(Table):
    """The complete listing."""

    path: RelativePath
    records: ExpressionText
    pagination: Pagination
    method: Literal["GET", "POST"] = "GET"
    params: Params = {}
    body: dict[str, JsonValue] | None = None
    """With POST: the JSON that is sent; the parameters of paging go into it."""

    size_param: str = ""
    """The parameter that asks for so many records; empty: the provider decides."""

    page_size: int = Field(default=100, ge=1, le=10_000)
    total: ExpressionText | None = None
    clock: ExpressionText | None = None
    """Where the answer tells the provider's time; otherwise the header `Date` does."""

    @field_validator("params", "body")
    @classmethod
    def _check_templates(cls, templates: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        _check_placeholders(templates, frozenset())
        return templates

    @model_validator(mode="after")
    def _check_body(self) -> Self:
        if self.method == "GET" and self.body is not None:
            raise ValueError('body is sent with method = "POST" only')
        return self


_WINDOW: Final = frozenset({"since", "until", "after_id"})


class ChangesTable(Table):
    """What changed inside a window of time. What is not given here is as in [list]."""

    path: RelativePath | None = None
    params: Params = {}
    """With `{since}`, `{until}` and `{after_id}`; a parameter whose placeholder has no value is left out."""

    at_one_instant: Params = {}
    """Instead of `params`: what changed exactly at `{since}` and has an id behind `{after_id}`."""

    format: TimeFormat = "iso"
    is_exclusive: bool = False
    """The lower bound itself is left out by the provider: one unit of `format` less is asked for."""

    order: Literal["none", "time", "time_id"] = "none"
    """How the answer is sorted: by time of change, and equal times by id."""

    cap: int | None = Field(default=None, ge=1)
    """One query never answers more records than this, on all its pages together."""

    method: Literal["GET", "POST"] | None = None
    body: dict[str, JsonValue] | None = None
    records: ExpressionText | None = None
    pagination: Pagination | None = None
    size_param: str | None = None
    page_size: int | None = Field(default=None, ge=1, le=10_000)
    clock: ExpressionText | None = None

    @field_validator("params", "body", "at_one_instant")
    @classmethod
    def _check_templates(cls, templates: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        _check_placeholders(templates, _WINDOW)
        return templates

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        asked = _placeholders([self.params, self.body])
        if "since" not in asked:
            raise ValueError("params must ask from {since} on, or every pass would list everything")
        drained = asked | _placeholders([self.at_one_instant])
        if self.order == "time_id" and "after_id" not in drained:
            raise ValueError('order = "time_id" needs {after_id} in params or in at_one_instant')
        if self.at_one_instant and not _placeholders([self.at_one_instant]) >= {"since", "after_id"}:
            raise ValueError("at_one_instant must hold {since} and {after_id}")
        return self


def _placeholders(templates: object) -> set[str]:
    return set(PLACEHOLDER.findall(str(templates)))


class PartsTable(Table):
    """Parts of the complete listing that can be read side by side: by value, or by time of creation."""

    params: Params
    """Added to those of [list]: with `{value}`, or with `{from}` and `{until}`."""

    values: tuple[str, ...] = Field(default=(), max_length=10_000)
    start: str | None = None
    """The first day, `2019-01-01`; the first part is everything before it, the last one has no end."""

    days: int = Field(default=30, ge=1)
    format: TimeFormat = "iso"

    @field_validator("start")
    @classmethod
    def _check_start(cls, start: str | None) -> str | None:
        try:
            return None if start is None else date.fromisoformat(start).isoformat()
        except ValueError:
            raise ValueError("give a day such as 2019-01-01") from None

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if bool(self.values) == (self.start is not None):
            raise ValueError("give either values, or start and days")
        wanted = {"value"} if self.values else {"from", "until"}
        if _placeholders(self.params) != wanted:
            names = " and ".join(f"{{{name}}}" for name in sorted(wanted))
            raise ValueError(f"params must hold {names}, and no other placeholder")
        return self


# what the provider allows, and how it says no


class LimitsTable(Table):
    """See `RequestLimits`."""

    per_second: float | None = Field(default=None, gt=0)
    burst: int = Field(default=1, ge=1)
    concurrent: int | None = Field(default=None, ge=1)
    daily: int | None = Field(default=None, ge=1)
    daily_zone: str = "UTC"
    backfill_share: float = Field(default=0.75, gt=0, le=1)
    account: str = ""
    """Connections of a tenant that name the same account share one budget; empty: a budget of its own."""

    @field_validator("daily_zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        zone_of(zone)
        return zone

    def limits(self) -> RequestLimits:
        """As the budgets take them."""
        return RequestLimits(
            per_second=self.per_second,
            burst=self.burst,
            concurrent=self.concurrent,
            daily=self.daily,
            daily_zone=self.daily_zone,
            backfill_share=self.backfill_share,
        )


class ThrottlingTable(Table):
    """Answers that mean "come again later", besides 429 and whatever has a Retry-After."""

    statuses: tuple[int, ...] = ()
    when: ExpressionText | None = None
    """Asked of every answer's JSON, whatever its status is."""

    daily: ExpressionText | None = None
    """The day's quota is used up: come again at midnight in [limits] daily_zone."""

    seconds: ExpressionText | None = None
    """Where the answer says how long to wait."""

    default_seconds: float = Field(default=60.0, gt=0, le=86_400)


class ExpiredTable(Table):
    """Answers that mean that a page's token is no longer known."""

    statuses: tuple[int, ...] = (410,)
    when: ExpressionText | None = None
