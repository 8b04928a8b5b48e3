"""In CI a test that is skipped, or expected to fail, is a failure: nothing is left out in silence."""

import os
from collections.abc import Generator

import pytest

REASON = "skipped or expected to fail, which CI does not allow"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one."""
    report = yield
    if _counts(report.outcome):
        report.outcome, report.longrepr = "failed", f"{report.nodeid}: {REASON}"
        report.__dict__.pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that skips itself into a failure."""
    report = yield
    if _counts(report.outcome):
        report.outcome, report.longrepr = "failed", f"{report.nodeid}: {REASON}"
    return report


def _counts(outcome: str) -> bool:
    return outcome == "skipped" and os.environ.get("CI") == "true"
