"""What the Prefect flow stores of a row: the contact that contactsync makes of it, cleaned by the worker's functions.

As in the worker, a contact that is as good as clean goes the short way, and only the rest through all of `sanitize`.
"""

import json
from typing import Any

from contactsync.activities.cleaning import long_way
from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Field
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.quick import ShortWay

Row = dict[str, Any]

POLICY = Policy(fields=DEFAULT_FIELDS | {Field.ADDRESSES}, default_region="DE")
_SHORT_WAY = ShortWay(POLICY)


def cleaned(row: Row) -> str:
    """A contact, cleaned, as JSON."""
    content = json.dumps(contact_of(row), ensure_ascii=False, separators=(",", ":")).encode()
    clean = _SHORT_WAY.cleaned(content) or long_way(content, POLICY)
    return clean.content.decode()


def contact_of(row: Row) -> Row:
    """The contact of a row of the source, in either shape."""
    given, family, emails, phones = _lists(row) if "emails" in row else _flat(row)
    return {
        "name": {"components": [{"kind": "given", "value": given}, {"kind": "surname", "value": family}]},
        "organizations": [{"name": row["company"]}],
        "titles": [{"name": row["job_title"]}],
        "emails": emails,
        "phones": phones,
        "addresses": [{"locality": row["city"], "country_code": row["country"]}],
    }


def _lists(row: Row) -> tuple[str, str, list[Row], list[Row]]:
    """Name, e-mail addresses and phone numbers of a row with lists."""
    emails = [{"address": each["address"], "contexts": ["work"]} for each in row["emails"]]
    return row["name"]["given"], row["name"]["family"], emails, [_phone(each) for each in row["phones"]]


def _phone(value: Row) -> Row:
    """A phone number with its type."""
    use = {"contexts": ["work"]} if value["type"] == "work" else {"features": ["mobile"]}
    return {"number": value["number"], **use}


def _flat(row: Row) -> tuple[str, str, list[Row], list[Row]]:
    """The same of a row that is flat."""
    phones = [{"number": row["phone"]}, {"number": row["mobile"]}]
    return row["first_name"], row["last_name"], [{"address": row["email"]}], phones
