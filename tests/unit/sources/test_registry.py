"""The kinds of sources and their settings."""

import pytest

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.sources.registry import KINDS, open_source, validate_settings
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Credentials
from contactsync.errors import SettingsError

PLANTED = "hunter2-planted"


def test_settings_are_kept_as_given() -> None:
    """Valid settings come back as JSON types, and defaults are left out so that they may change."""
    assert validate_settings("carddav", {"url": "https://dav.example", "trusted_hosts": [".dav.example"]}) == {
        "url": "https://dav.example/",
        "trusted_hosts": [".dav.example"],
    }
    assert validate_settings("memory", {"made_up": 5}) == {"made_up": 5}


def test_numbers_given_as_text() -> None:
    """A command line has only texts: what reads as a number or a yes is one."""
    given = {"url": "http://dav.example/", "allow_http": "true", "multiget": "10"}
    assert validate_settings("carddav", given) == {"url": "http://dav.example/", "allow_http": True, "multiget": 10}


def test_every_problem_at_once() -> None:
    """All problems are told together, each with the name of its setting, and no value is repeated."""
    given = {"url": f"ftp://{PLANTED}", "multiget": PLANTED, "auth": PLANTED, "surprise": PLANTED, "sync_limit": 0}
    with pytest.raises(SettingsError) as caught:
        validate_settings("carddav", given)
    lines = str(caught.value).split("\n")
    assert {line.split(":")[0] for line in lines[1:]} == {f"- {name}" for name in given}
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://me:pw@dav.example/", "leave user name and password out"),
        ("https://dav.example/?x=1", "no ?"),
        ("http://dav.example/", "allow_http"),
        ("dav.example", "whole address"),
        ("https://[", "no address"),
        ("https://dav.example:99999/", "no address"),
    ],
)
def test_addresses_that_are_refused(url: str, problem: str) -> None:
    """An address with a password, without TLS or without a host is refused with what to do about it."""
    with pytest.raises(SettingsError, match=problem) as caught:
        validate_settings("carddav", {"url": url})
    assert "pw@" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5232/", "http://localhost/", "http://[::1]:80/"])
def test_http_to_this_machine(url: str) -> None:
    """On the machine itself http is enough."""
    assert validate_settings("carddav", {"url": url}) == {"url": url}


@pytest.mark.parametrize("hosts", [["example"], ["."], [".com"], ["https://dav.example"], ["dav.example:443"]])
def test_trusted_hosts_that_are_refused(hosts: list[str]) -> None:
    """A trusted host is the name of a host, and never a whole top-level domain."""
    with pytest.raises(SettingsError):
        validate_settings("carddav", {"url": "https://dav.example/", "trusted_hosts": hosts})


@pytest.mark.parametrize("settings", [{}, {"made_up": 1, "shared": "x"}, {"made_up": -1}])
def test_memory_needs_exactly_one(settings: dict[str, object]) -> None:
    """The source in memory has made-up contacts or shared ones, not both and not none."""
    with pytest.raises(SettingsError):
        validate_settings("memory", settings)


def test_unknown_kind() -> None:
    """An unknown kind is answered with the known ones."""
    with pytest.raises(SettingsError, match="carddav, memory, rest"):
        validate_settings("ldap", {})
    assert set(KINDS) == {"carddav", "memory", "rest"}


def test_opening_checks_settings() -> None:
    """Settings that were valid once and are no longer so are a settings error, before anything is opened."""
    with pytest.raises(SettingsError):
        open_source("carddav", {"url": "nowhere"}, Credentials(), DEFAULT_FIELDS, Replica())
