"""Everything a provider may do to those who read it. Without any of it the simulator is an honest provider."""

from dataclasses import dataclass, field
from typing import Final, Literal

Order = Literal["time_id", "time", "newest_first", "shuffled"]
Merges = Literal["both", "tombstone", "ids"]
Loop = Literal["endless", "empty", "stuck", "repeats", "circle"]
RateHeaders = Literal["none", "ietf", "x", "hubspot", "sforce"]


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer with an error status. `retry_after`: seconds, sent as a number, or as a date where `as_date`."""

    status: int
    retry_after: float | None = None
    as_date: bool = False
    body: bytes = b'{"error": {"code": "refused"}}'
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends after this share of the body."""

    share: float = 0.5


@dataclass(frozen=True, slots=True)
class HalfBody:
    """A whole HTTP answer whose JSON stops after this share, as from a gateway that gave up."""

    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Garbage:
    """Status 200 with something else, as the sign-in page of a proxy."""

    body: bytes = b"<!DOCTYPE html><title>Sign in</title><p>Please sign in."
    content_type: str = "text/html"


Failure = Refused | Cut | HalfBody | Garbage

EXPIRED: Final = Refused(410, body=b'{"error": {"code": "token_expired"}}')
CAPPED: Final = Refused(400, body=b'{"error": {"code": "too_many_results"}}')
THROTTLED: Final = Refused(429, body=b'{"error": {"code": "rate_limit", "policy": "SECONDLY"}}')
OVER_QUOTA: Final = Refused(429, body=b'{"error": {"code": "rate_limit", "policy": "DAILY"}}')


@dataclass(frozen=True, slots=True)
class Faults:
    """The switches. `docs/simulator.md` has a line on each, with the provider it was seen at."""

    # what becomes visible late
    commit_delay_seconds: float = 0.0  # an edit shows this much later than its time says
    index_lag_seconds: float = 0.0  # changes know of an edit this much later than the listing does
    index_settle_seconds: float = 0.0  # for so long after that an edit may be missing from an answer about changes …
    index_miss_share: float = 0.0  # … with this probability
    # what answers look like
    order: Order = "time_id"  # of changes: "time" has equal times in another order each round
    listing_order: Literal["id", "time"] = "id"
    cursors: Literal["keyset", "offset"] = "keyset"  # "offset": a cursor that only counts, over a list that moves
    query_cap: int | None = None  # changes that one query answers at most …
    cap_refuses: bool = False  # … with status 400 past it, instead of ending as if that were all
    strays: int = 0  # records from outside the window on each page of changes
    duplicates: int = 0  # records of the page before that a page repeats
    empty_pages: int = 0  # empty pages between two pages
    max_page: int = 1000  # records a page has at most, whatever is asked for
    tombstones: bool = True  # changes tell of deletions
    merges: Merges = "both"  # "tombstone": the loser names the winner; "ids": the winner names the loser, who vanishes
    # what goes wrong
    token_life: int | None = None  # requests after which a page token has expired
    expiry: Refused = EXPIRED
    listing_is_empty: bool = False  # a listing of nothing, although contacts are there
    listing_ends_after: int | None = None  # records after which a listing ends, as if that were all
    loop: Loop | None = None  # pages without an end
    fail_share: float = 0.0  # of all requests …
    fail_with: tuple[Failure, ...] = field(default=(Refused(503),))  # … one of these
    # what is allowed
    per_second: int | None = None
    throttled: Refused = THROTTLED
    daily_quota: int | None = None  # requests, until midnight …
    daily_zone: str = "UTC"  # … in this zone
    over_quota: Refused = OVER_QUOTA
    rate_headers: RateHeaders = "none"
