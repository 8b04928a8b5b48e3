"""The description of an API: what is refused, and how it says so."""

import json
import tomllib
from pathlib import Path

import pytest
from tests.unit.rest.apis import described

from contactsync.activities.sources.limits import RequestLimits
from contactsync.activities.sources.registry import account_of, limits_of, validate_settings
from contactsync.errors import SettingsError

PLANTED = "hunter2-planted"
EXAMPLES = sorted((Path(__file__).parents[3] / "docs" / "examples").glob("rest-*.toml"))
URL = "https://api.example/v1"

Settings = dict[str, object]


def problems(settings: Settings) -> dict[str, str]:
    """What is said of each place."""
    with pytest.raises(SettingsError) as caught:
        validate_settings("rest", settings)
    lines = str(caught.value).split("\n- ")[1:]
    assert PLANTED not in str(caught.value)
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_kept_as_given(path: Path) -> None:
    """The documented examples are valid, and valid again as they are kept."""
    given = tomllib.loads(path.read_text())
    kept = validate_settings("rest", given)
    assert kept == given
    assert validate_settings("rest", json.loads(json.dumps(kept))) == kept


def test_there_are_two_examples() -> None:
    """The documentation has two complete files."""
    assert len(EXAMPLES) == 2


def test_every_problem_at_once() -> None:
    """All problems are told together, each at its place in the TOML with what to do, and no value is repeated."""
    found = problems(
        {
            "url": f"ftp://{PLANTED}",
            "auth": {"kind": "client_credentials", "token_url": PLANTED},
            "list": {
                "path": f"https://{PLANTED}/x",
                "records": f"{PLANTED}[",
                "pagination": {"kind": "cursor", "foo": PLANTED},
                "params": {"x": "{since}"},
            },
            "changes": {"params": {"since": f"{{{PLANTED.replace('-', '_').replace('2', 'x')}}}"}, "format": PLANTED},
            "fields": {"name": {"givn": "x"}, "emails": "nope(@)"},
            "parts": {"params": {"x": "1"}},
            "limits": {"daily_zone": PLANTED, "per_second": 0},
            "headers": {"Authorization": PLANTED},
            "trusted_hosts": [".com"],
            "surprise": PLANTED,
        }
    )
    assert set(found) == {
        "url",
        "auth.token_url",
        "auth.client_id",
        "list.path",
        "list.records",
        "list.pagination.param",
        "list.pagination.next",
        "list.pagination.foo",
        "list.params",
        "changes.params",
        "changes.format",
        "fields.id",
        "fields.name.givn",
        "fields.emails",
        "parts",
        "limits.daily_zone",
        "limits.per_second",
        "headers.Authorization",
        "trusted_hosts",
        "surprise",
    }
    assert all(found.values())


@pytest.mark.parametrize(
    ("tables", "place", "says"),
    [
        ({"auth": {"kind": PLANTED}}, "auth", "client_credentials"),
        ({"auth": {}}, "auth", "kind"),
        ({"auth": {"kind": "header", "name": "Host"}}, "auth.name", "header"),
        ({"auth": {"kind": "refresh_token", "token_url": "https://t.example/", "client_id": "c",
                   "client_secret": PLANTED}}, "auth.client_secret", "env:NAME"),
        ({"auth": {"kind": "client_credentials", "token_url": "http://t.example/", "client_id": "c"}},
         "settings", "https"),
        ({"url": "http://api.example"}, "settings", "allow_http"),
        ({"url": "https://me:pw@api.example"}, "url", "password"),
        ({"url": "https://api.example/?key=1"}, "url", "no ?"),
        ({"headers": {"X-A": "a\r\nb"}}, "headers", "one line"),
        ({"headers": {"X A": "a"}}, "headers.X A", "header"),
        ({"check_path": "//other.example/me"}, "check_path", "path"),
        ({"changes": {"params": {"x": "1"}}}, "changes", "{since}"),
        ({"changes": {"params": {"s": "{since}"}, "order": "time_id"}}, "changes", "{after_id}"),
        ({"changes": {"params": {"s": "{since}"}, "at_one_instant": {"s": "{since}"}}}, "changes", "{after_id}"),
        ({"changes": {"params": {"s": "{since}"}, "order": "time"}, "fields": {"id": "id"}}, "settings", "changed_at"),
        ({"capabilities": {"tombstones": True}}, "settings", "deleted"),
        ({"parts": {"params": {"x": "{value}"}, "values": ["a"], "start": "2020-01-01"}}, "parts", "either"),
        ({"parts": {"params": {"x": "{from}"}, "start": "2020-01-01"}}, "parts", "{until}"),
        ({"parts": {"params": {"x": "{from}", "y": "{until}"}, "start": "May"}}, "parts.start", "day"),
        ({"changes": {"params": {"s": "{since}"}, "cap": 199}}, "settings", "two pages"),
        ({"list": {"path": "c", "records": "r", "size_param": "n", "pagination": {"kind": "page", "param": "p"}},
          "changes": {"params": {"s": "{since}"}, "cap": 199}}, "settings", "two pages"),
        ({"auth": {"kind": "header", "name": "X-A", "prefix": "a\nb"}}, "auth.prefix", "pattern"),
        ({"list": {"path": "c", "records": "r", "body": {}, "pagination": {"kind": "none"}}}, "list", "POST"),
        ({"list": {"path": "c", "records": "r[?x]", "pagination": {"kind": "offset", "param": "o"}}},
         "settings", "plain path"),
        ({"changes": {"params": {"s": "{since}"}, "records": "r[]", "pagination": {"kind": "page", "param": "p"}}},
         "settings", "[changes] records"),
    ],
)  # fmt: skip
def test_what_is_refused(tables: Settings, place: str, says: str) -> None:
    """Each mistake is told at its place, with a word of what to do."""
    found = problems(described(URL) | tables)
    assert set(found) == {place}
    assert says in found[place]


def test_a_small_cap_over_pages_of_any_size() -> None:
    """Where a page may be asked for that is as short as what is left under the cap, the cap may be any."""
    pages = {"kind": "cursor", "param": "after", "next": "next"}
    listing = {"path": "contacts", "records": "items", "size_param": "n", "pagination": pages}
    validate_settings("rest", described(URL, list=listing, changes={"params": {"s": "{since}"}, "cap": 7}))


def test_http_to_another_machine_needs_leave() -> None:
    """Who knows what http means may say so; to this machine nobody needs to."""
    validate_settings("rest", described("http://api.example", allow_http=True))
    validate_settings("rest", described("http://127.0.0.1:8000"))


def test_limits_of_the_account() -> None:
    """The budgets get the limits and the account from the file."""
    limits = {"per_second": 5.0, "burst": 10, "concurrent": 4, "daily": 1000, "daily_zone": "Europe/Berlin"}
    settings = described(URL, limits={**limits, "backfill_share": 0.5, "account": "main"})
    assert limits_of("rest", settings) == RequestLimits(5.0, 10, 4, 1000, "Europe/Berlin", 0.5)
    assert account_of("rest", settings) == "main"
    assert limits_of("rest", described(URL)).are_none
    assert account_of("rest", described(URL)) == ""
