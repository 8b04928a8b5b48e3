"""Dates in headers, which sources' clocks and waits are read from."""

import time
from collections.abc import Generator

import pytest

from contactsync.activities.sources.http_dates import epoch_seconds


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo"])
def worker_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """The zone of the worker's machine."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("worker_zone")
@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 09:49:37 +0100",
    ],
)
def test_a_date_is_one_moment_wherever_the_worker_is(text: str) -> None:
    """The forms of RFC 9110, and those of mail; a mark that is hours ahead would pass over what changed meanwhile."""
    assert epoch_seconds(text) == 784_111_777


@pytest.mark.parametrize("text", ["", "soon", "0", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT"])
def test_what_is_no_date_says_nothing(text: str) -> None:
    """Whatever a server sends is a time or is not, and is never an error."""
    assert epoch_seconds(text) is None
