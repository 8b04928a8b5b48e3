"""What answers say of limits: `Retry-After`, and the headers in which providers tell what is left.

All of it is the other side's text: what is no number of a sensible size counts as not said.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contactsync.activities.sources.http_dates import epoch_seconds
from contactsync.activities.sources.meter import Window

DEFAULT_PATIENCE_SECONDS: Final = 60.0
MAX_PATIENCE_SECONDS: Final = 24 * 3600.0

_THROTTLING: Final = frozenset({403, 429, 503})
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_MEMBER: Final = re.compile(r'(?:"[^"]*"|[^,"])+')
_PARAMETER: Final = re.compile(r";\s*([a-z]+)\s*=\s*([0-9]{1,15})", re.IGNORECASE)
_PAIR: Final = re.compile(r"\b(limit|remaining|reset)\s*=\s*([0-9]{1,15})", re.IGNORECASE)
_API_USAGE: Final = re.compile(r"(?:^|[\s,])api-usage=([0-9]{1,15})/([0-9]{1,15})")
_EPOCH_SECONDS: Final = 1e9
_EPOCH_MILLISECONDS: Final = 1e11


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for which an answer asks; `said`: the number is its own, and not our guess."""

    seconds: float
    said: bool


def patience(retry_after: str | None, now: float) -> float:
    """Seconds to wait, from a `Retry-After` in seconds or as a date (RFC 9110 §10.2.3); `now` in epoch seconds."""
    said = _retry_after(retry_after, now)
    return DEFAULT_PATIENCE_SECONDS if said is None else said


def patience_asked(status: int, headers: Mapping[str, str], now: float) -> Patience | None:
    """What an answer with this status asks for; None: it does not ask for patience.

    429 always does; 503 with `Retry-After`; 403 with `Retry-After`, or where the same answer says that nothing is left
    (some providers have no other way to say so). Header names are lower case, `now` is in epoch seconds.
    """
    if status not in _THROTTLING:
        return None
    now = _clock(headers, now)
    said = _retry_after(headers.get("retry-after"), now)
    if said is not None:
        return Patience(said, said=True)
    if status == 503:
        return Patience(DEFAULT_PATIENCE_SECONDS, said=False) if "retry-after" in headers else None
    spent = [window for window in windows_of(headers, now) if window.remaining == 0]
    resets = [window.resets_in for window in spent if window.resets_in is not None]
    if resets:
        return Patience(_bounded(max(resets)), said=True)
    if status == 403 and not spent and "retry-after" not in headers:
        return None
    return Patience(DEFAULT_PATIENCE_SECONDS, said=False)


def windows_of(headers: Mapping[str, str], now: float) -> tuple[Window, ...]:
    """The limits that an answer speaks of, in any of the forms known here; `now` in epoch seconds.

    draft-ietf-httpapi-ratelimit-headers (its present form, and the three headers and the one of earlier drafts),
    `X-RateLimit-*`, HubSpot's and Salesforce's own.
    """
    now = _clock(headers, now)
    found = (
        *_items(headers),
        *_single(headers.get("ratelimit", "")),
        *_triple(headers, "ratelimit", now),
        *_triple(headers, "x-ratelimit", now),
        *_triple(headers, "x-rate-limit", now),
        *_hubspot(headers),
        *_salesforce(headers.get("sforce-limit-info", "")),
    )
    tightest: dict[str, Window] = {}
    for window in found:
        held = tightest.get(window.name)
        if held is None or window.remaining < held.remaining:
            tightest[window.name] = window
    return tuple(tightest.values())


def _clock(headers: Mapping[str, str], now: float) -> float:
    """The source's own time where it says so: its dates are told by its clock."""
    there = epoch_seconds(headers.get("date", ""))
    return now if there is None else there


def _retry_after(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return _bounded(float(text[:12]))
    date = epoch_seconds(text)
    return None if date is None else _bounded(date - now)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), MAX_PATIENCE_SECONDS)


def _number(text: str | None) -> float | None:
    """The number that a header begins with: `100, 100;w=60` is 100."""
    head = (text or "").partition(",")[0].partition(";")[0].strip()
    return float(head) if _NUMBER.fullmatch(head) else None


def _items(headers: Mapping[str, str]) -> Iterator[Window]:
    """`RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60`."""
    policies = dict(_members(headers.get("ratelimit-policy", "")))
    for name, parameters in _members(headers.get("ratelimit", "")):
        if "r" not in parameters:
            continue
        policy = policies.get(name, {})
        yield Window(
            "interval",
            remaining=parameters["r"],
            allowed=policy.get("q"),
            resets_in=parameters.get("t"),
            length=policy.get("w"),
        )


def _members(text: str) -> Iterator[tuple[str, dict[str, int]]]:
    for member in _MEMBER.findall(text[:1000]):
        name, _, rest = member.strip().partition(";")
        yield name.strip(' "'), {key.lower(): int(value) for key, value in _PARAMETER.findall(";" + rest)}


def _single(text: str) -> Iterator[Window]:
    """`RateLimit: limit=100, remaining=50, reset=5`."""
    said = {key.lower(): int(value) for key, value in _PAIR.findall(text[:1000])}
    if "remaining" in said:
        yield Window("interval", said["remaining"], said.get("limit"), said.get("reset"))


def _triple(headers: Mapping[str, str], prefix: str, now: float) -> Iterator[Window]:
    """`…-Limit`, `…-Remaining`, and `…-Reset` in seconds, or as a time in seconds or milliseconds."""
    remaining = _number(headers.get(f"{prefix}-remaining"))
    if remaining is None:
        return
    allowed, reset = _number(headers.get(f"{prefix}-limit")), _number(headers.get(f"{prefix}-reset"))
    after = _number(headers.get(f"{prefix}-reset-after"))
    resets_in = after if after is not None else _until(reset, now)
    yield Window("interval", int(remaining), None if allowed is None else int(allowed), resets_in)


def _until(reset: float | None, now: float) -> float | None:
    if reset is None:
        return None
    if reset >= _EPOCH_MILLISECONDS:
        return max(0.0, reset / 1000 - now)
    return max(0.0, reset - now) if reset >= _EPOCH_SECONDS else reset


def _hubspot(headers: Mapping[str, str]) -> Iterator[Window]:
    prefix = "x-hubspot-ratelimit"
    remaining, daily = _number(headers.get(f"{prefix}-remaining")), _number(headers.get(f"{prefix}-daily-remaining"))
    if remaining is not None:
        allowed, length = _number(headers.get(f"{prefix}-max")), _number(headers.get(f"{prefix}-interval-milliseconds"))
        seconds = None if length is None else length / 1000
        yield Window("interval", int(remaining), None if allowed is None else int(allowed), seconds, seconds)
    if daily is not None:
        allowed = _number(headers.get(f"{prefix}-daily"))
        yield Window("daily", int(daily), None if allowed is None else int(allowed))


def _salesforce(text: str) -> Iterator[Window]:
    """`api-usage=18/5000`: of the last 24 hours."""
    usage = _API_USAGE.search(text[:1000])
    if usage:
        used, allowed = int(usage[1]), int(usage[2])
        yield Window("rolling", max(0, allowed - used), allowed)
