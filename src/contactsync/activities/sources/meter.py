"""What a fetch asked of its source, for the account's budget: its requests, and what the answers said of limits."""

from dataclasses import dataclass


@dataclass(slots=True)
class Meter:
    """Counts requests; the transport feeds it."""

    requests: int = 0
