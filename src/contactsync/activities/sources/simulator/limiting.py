"""How often the provider lets itself be asked, and what it says of that."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.clock import SECOND
from contactsync.activities.sources.simulator.faults import Faults, Refused


def midnight_after(now: Instant, zone: str) -> Instant:
    """The next midnight of that zone (IANA name)."""
    here = datetime.fromtimestamp(now / SECOND, UTC).astimezone(ZoneInfo(zone))
    tomorrow = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), here.tzinfo)
    return round(tomorrow.timestamp() * SECOND)


@dataclass(slots=True)
class Limiting:
    """Counts requests of the second and of the day under way."""

    _second: Instant = 0
    _in_second: int = 0
    _day_ends: Instant = 0
    _in_day: int = 0
    _headers: tuple[tuple[str, str], ...] = field(default=())

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the answer to the last request says of limits."""
        return self._headers

    def refusal(self, faults: Faults, now: Instant) -> Refused | None:
        """Counts a request; why it is refused, if it is. What is refused counts too."""
        self._turn(faults, now)
        self._in_second += 1
        self._in_day += 1
        self._headers = self._describe(faults, now)
        if faults.daily_quota is not None and self._in_day > faults.daily_quota:
            return replace(faults.over_quota, headers=(*faults.over_quota.headers, *self._headers))
        if faults.per_second is not None and self._in_second > faults.per_second:
            return replace(faults.throttled, headers=(*faults.throttled.headers, *self._headers))
        return None

    def _turn(self, faults: Faults, now: Instant) -> None:
        if now // SECOND != self._second:
            self._second, self._in_second = now // SECOND, 0
        if now >= self._day_ends:
            self._day_ends, self._in_day = midnight_after(now, faults.daily_zone), 0

    def _describe(self, faults: Faults, now: Instant) -> tuple[tuple[str, str], ...]:
        """https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ and the forms of providers."""
        limit = faults.per_second or 0
        left = max(limit - self._in_second, 0)
        left_today = max((faults.daily_quota or 0) - self._in_day, 0)
        reset = -(-(SECOND - now % SECOND) // SECOND)
        match faults.rate_headers:
            case "ietf":
                return (
                    ("ratelimit-limit", f"{limit}"),
                    ("ratelimit-remaining", f"{left}"),
                    ("ratelimit-reset", f"{reset}"),
                )
            case "x":
                at = f"{now // SECOND + reset}"
                return (
                    ("x-ratelimit-limit", f"{limit}"),
                    ("x-ratelimit-remaining", f"{left}"),
                    ("x-ratelimit-reset", at),
                )
            case "hubspot":
                return (
                    ("x-hubspot-ratelimit-interval-milliseconds", "1000"),
                    ("x-hubspot-ratelimit-max", f"{limit}"),
                    ("x-hubspot-ratelimit-remaining", f"{left}"),
                    ("x-hubspot-ratelimit-daily", f"{faults.daily_quota or 0}"),
                    ("x-hubspot-ratelimit-daily-remaining", f"{left_today}"),
                )
            case "sforce":
                return (("sforce-limit-info", f"api-usage={self._in_day}/{faults.daily_quota or 0}"),)
            case "none":
                return ()
