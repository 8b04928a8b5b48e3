"""Times in the headers of answers."""

from datetime import UTC
from email.utils import parsedate_to_datetime


def epoch_seconds(text: str) -> float | None:
    """An HTTP date, in any of the forms of RFC 9110 §5.6.7; None: it is none."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError):
        return None
    # all are UTC, but the oldest form does not say so, and a time without a zone would be taken for the worker's own
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
