"""The simulation of many tenants."""

import pytest
from benchmarks.scale import (
    MINUTES,
    Cost,
    Costs,
    Day,
    Fleet,
    cores_for,
    keeps_up,
    minutes_after_outage,
    missed_in_an_hour,
    price_of_actions,
    simulated,
)

COSTS = Costs(
    new=Cost(cpu=2e-4, worker_cpu=1e-4, actions=0.004, history=200.0),
    listed=Cost(cpu=4e-5, worker_cpu=2e-5, actions=0.004, history=20.0),
    empty=Cost(cpu=0.02, worker_cpu=0.01, actions=4.0, history=8_000.0),
    row_bytes=2_500.0,
    audit_bytes=300.0,
)
FLEET = Fleet(tenants=10, connections=200, contacts=1_000_000)


@pytest.mark.parametrize(("millions", "dollars"), [(1, 50), (11.25, 525), (200, 250 + 225 + 400 + 1050 + 1500 + 2500)])
def test_actions_cost_what_the_list_says(millions: float, dollars: float) -> None:
    """Each tier has its price; the second figure is the example of the public page."""
    assert price_of_actions(millions * 1e6) == pytest.approx(dollars)


@pytest.mark.parametrize("interval", [15, 60, 240])
def test_a_day_has_all_passes(interval: int) -> None:
    """What the minutes say adds up to what all connections ask for."""
    day = simulated(FLEET, COSTS, interval)
    passes = FLEET.connections * MINUTES / interval
    changed = FLEET.contacts * 0.01
    worker = passes * COSTS.empty.worker_cpu + changed * COSTS.new.worker_cpu + FLEET.contacts * COSTS.listed.worker_cpu
    assert day.passes == passes
    assert sum(day.worker_cpu) == pytest.approx(worker)
    assert sum(day.actions) == pytest.approx(passes * 4.0 + FLEET.contacts * 0.004)
    assert day.history == pytest.approx(passes * 8_000 + FLEET.contacts * 20 + changed * 200)
    assert simulated(FLEET, COSTS, interval) == day


@pytest.mark.parametrize(("interval", "passes"), [(15, 1), (60, 1), (240, 0.25)])
def test_an_outage_leaves_a_pass_at_most(interval: int, passes: float) -> None:
    """After an hour's outage a connection is due once, or not yet; what changed and what is listed waits too."""
    a_day = FLEET.contacts * (0.01 * COSTS.new.worker_cpu + COSTS.listed.worker_cpu)
    missed = missed_in_an_hour(simulated(FLEET, COSTS, interval), FLEET, COSTS, interval)
    assert missed == pytest.approx(FLEET.connections * passes * COSTS.empty.worker_cpu + a_day / 24)
    even = Day(worker_cpu=[30.0] * MINUTES, all_cpu=0, actions=[0.0], history=0, passes=0)
    assert minutes_after_outage(even, 2, 900) == 10


def test_cores_are_as_few_as_keep_up() -> None:
    """One core less does not do, and a burst that one minute cannot hold may take a few."""
    even = Day(worker_cpu=[90.0] * MINUTES, all_cpu=0, actions=[0.0] * MINUTES, history=0, passes=0)
    assert cores_for(even) == 3  # one and a half, at sixty in a hundred
    assert not keeps_up(even, 1)
    burst = Day(worker_cpu=[600.0] + [0.0] * (MINUTES - 1), all_cpu=0, actions=[0.0], history=0, passes=0)
    assert keeps_up(burst, 1)
