"""What a provider allows an account, and the base of every kind's settings, which says so."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of one provider account, shared by all workers, live sync and backfill.

    `per_second`: requests, on average; `burst`: how many at once after a rest; `concurrent`: fetches at the same time;
    `daily`: requests from midnight to midnight in `daily_zone` (IANA name); `backfill_share`: how much of all that a
    backfill may use, so that live sync never starves.
    """

    per_second: float | None = None
    burst: int = 1
    concurrent: int | None = None
    daily: int | None = None
    daily_zone: str = "UTC"
    backfill_share: float = 0.75

    def __post_init__(self) -> None:
        """Refuses what could never let a request go.

        Raises:
            ValueError: a limit is not above 0, or there is no such zone.
        """
        limits = (self.per_second, self.burst, self.concurrent, self.daily, self.backfill_share)
        if any(limit is not None and not limit > 0 for limit in limits) or self.backfill_share > 1:
            raise ValueError("limits are above 0, and backfill_share is at most 1")
        zone_of(self.daily_zone)

    @property
    def are_none(self) -> bool:
        """Whether nothing is limited."""
        return self.per_second is None and self.concurrent is None and self.daily is None


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such time zone; give an IANA name such as Europe/Berlin") from None


def seconds_to_midnight(now: datetime, zone: str) -> float:
    """Seconds until the next day begins in `zone`, over changes of its clocks too; `now` knows its own zone.

    Raises:
        ValueError: there is no such zone.
    """
    there = zone_of(zone)
    tomorrow = now.astimezone(there).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time(), there)
    return max(1.0, midnight.timestamp() - now.timestamp())


class SourceSettings(BaseModel):
    """Base of the settings of every kind of source; they are sealed where they are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def limits(self) -> RequestLimits:
        """What the provider allows this account; no limits unless a kind says otherwise."""
        return RequestLimits()

    def account(self) -> str:
        """Names the provider's account, so that connections to one account share one budget; "": a budget of its own.

        It is digested with the tenant's key before it is kept or logged anywhere.
        """
        return ""
