"""Who goes too fast waits; who would wait too long is refused."""

import pytest

from contactsync.codecs.server.rates import MAX_WAIT_SECONDS, SUBJECTS, Buckets, Rate


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def buckets(clock: Clock) -> Buckets:
    """Ten a second, a hundred at once."""
    return Buckets(Rate(10, 100), clock)


def test_one_after_the_other_is_never_refused(buckets: Buckets, clock: Clock) -> None:
    """As the `temporal` command does: it ends up at its rate, waiting."""
    for _ in range(1000):
        wait = buckets.take("someone", 1)
        assert wait is not None
        assert wait <= 0.1 + 1e-9
        clock.now += wait
    assert 89 <= clock.now <= 91


def test_many_at_once_are_refused_in_the_end(buckets: Buckets, clock: Clock) -> None:
    """A hundred at once, then up to ten seconds' worth that wait, then no more; others are not touched."""
    waits = [buckets.take("someone", 1) for _ in range(300)]
    assert waits[:101] == [0.0] * 101
    assert all(wait is not None and wait <= MAX_WAIT_SECONDS for wait in waits[:201])
    assert waits[201:] == [None] * 99
    assert buckets.take("another", 1) == 0
    clock.now += 10
    assert buckets.take("someone", 1) is not None


def test_a_large_request_is_never_refused_for_ever(buckets: Buckets, clock: Clock) -> None:
    """A thousand payloads go through when the bucket is not empty; what comes after waits for them."""
    assert buckets.take("someone", 1000) == 0
    assert buckets.take("someone", 1) is None
    clock.now += 85
    assert buckets.take("someone", 1000) == pytest.approx(5)


def test_an_empty_request_counts_as_one(buckets: Buckets) -> None:
    """Requests cost something by themselves."""
    assert [buckets.take("someone", 0) for _ in range(300)][-1] is None


def test_memory_is_bounded(buckets: Buckets) -> None:
    """The subject not seen for longest is forgotten, and its bucket is full again."""
    assert buckets.take("someone", 1000) == 0
    for number in range(SUBJECTS):
        assert buckets.take(str(number), 1) == 0
    assert len(buckets) == SUBJECTS
    assert buckets.take("someone", 1) == 0
