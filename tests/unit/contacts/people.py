"""Hypothesis strategies: contacts as sources may hold them, and clean ones that a vCard can say."""

import json
from pathlib import Path
from typing import Final, TypeVar

from hypothesis import strategies as st

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Link,
    Name,
    NameComponent,
    Nickname,
    Note,
    OnlineService,
    Organization,
    Phone,
    Title,
)

NAUGHTY: Final[list[str]] = [
    *json.loads((Path(__file__).parents[2] / "vectors" / "blns" / "blns.json").read_text("utf-8")),
    "nul\0nul",
    "\0",
    "a\x1b[31mred\x07",
    "\N{RIGHT-TO-LEFT OVERRIDE}drowssap",
    "pay\N{ZERO WIDTH SPACE}pal",
    "\ufeffbom",
    "e\N{COMBINING ACUTE ACCENT}" * 50,
    "<\N{ZERO WIDTH SPACE}script>alert(1)</script>",
    "&amp;lt;b&amp;gt;",
    "\uffff\ufdd0\U0001fffe",
]
"""The Big List of Naughty Strings, which has no NUL and few invisible characters, and some that have."""

LONE_SURROGATES: Final = ("a\ud800b", "\udfff", "\udc80\ud83d", "🙂\ud83d")

wild = st.one_of(
    st.text(max_size=40), st.sampled_from(NAUGHTY), st.from_regex(r"[<&;:,\\\"=\n a-c^#>/]{0,20}", fullmatch=True)
)
"""Text with everything in it that UTF-8 can say."""

email_texts = st.one_of(wild, st.emails(), st.emails().map(lambda text: f"Somebody <{text.upper()}>"))
phone_texts = st.one_of(wild, st.from_regex(r"\+?[0-9 ()./-]{0,20}(;ext=[0-9]{1,4}| x[0-9]{1,4})?", fullmatch=True))
date_texts = st.one_of(wild, st.dates().map(str), st.from_regex(r"(--)?[0-9]{4}(-[0-9]{2}){0,2}", fullmatch=True))
uri_texts = st.one_of(wild, st.from_regex(r"(https?|mailto|javascript|data):[a-z0-9./@%]{0,20}", fullmatch=True))


Value = TypeVar("Value")


def _few(values: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(values, max_size=3).map(tuple)


_contexts = _few(st.sampled_from(["private", "work", "billing", "nonsense"]))
_features = _few(st.sampled_from(["mobile", "voice", "fax", "text", "pager", "nonsense"]))
_prefs = st.one_of(st.none(), st.integers(-5, 200))
_component_kinds = st.sampled_from(
    ["title", "given", "given2", "surname", "surname2", "credential", "generation", "separator"]
)

wild_contacts: st.SearchStrategy[Contact] = st.builds(
    Contact,
    uid=wild,
    kind=st.sampled_from(["individual", "group", "org", "location"]),
    name=st.one_of(
        st.none(),
        st.builds(Name, full=wild, components=_few(st.builds(NameComponent, kind=_component_kinds, value=wild))),
    ),
    nicknames=_few(st.builds(Nickname, name=wild)),
    organizations=_few(st.builds(Organization, name=wild, units=_few(wild))),
    titles=_few(st.builds(Title, name=wild, kind=st.sampled_from(["title", "role"]))),
    emails=_few(st.builds(EmailAddress, address=email_texts, contexts=_contexts, pref=_prefs, label=wild)),
    phones=_few(
        st.builds(
            Phone,
            number=phone_texts,
            extension=wild,
            e164=st.booleans(),
            features=_features,
            contexts=_contexts,
            pref=_prefs,
            label=wild,
        )
    ),
    addresses=_few(
        st.builds(
            Address,
            street=wild,
            locality=wild,
            region=wild,
            postcode=wild,
            country=wild,
            country_code=st.one_of(wild, st.just("de")),
            full=wild,
            contexts=_contexts,
        )
    ),
    online_services=_few(st.builds(OnlineService, service=wild, uri=uri_texts, user=wild)),
    links=_few(st.builds(Link, uri=uri_texts, label=wild)),
    anniversaries=_few(st.builds(Anniversary, kind=st.sampled_from(["birth", "death", "wedding"]), date=date_texts)),
    notes=_few(st.builds(Note, note=wild)),
    keywords=_few(wild),
    members=_few(wild),
)
"""Contacts as a hostile source might send them."""
