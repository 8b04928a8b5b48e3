"""What a provider allows an account, and the base of every kind's settings, which says so."""

from dataclasses import dataclass

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
